export default () => {
  const error = new DOMException("too much", "QuotaExceededError");
  console.log(error.name, error.message, error.code, String(error));
  console.log(error instanceof Error, error instanceof DOMException, DOMException.ABORT_ERR);
  throw error;
};

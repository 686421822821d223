// Told once, or a few times, but not for ever.
export default () => {
  const error = new Error("its own cause");
  error.cause = error;
  throw error;
};

// Attacks: The stacks of a chain of errors are together far longer than a stack may be.
// Ends: error Error
export default () => {
  let error;
  for (let level = 0; level < 100; level++) {
    error = new Error("no", { cause: error });
    error.stack = "s".repeat(100_000);
  }
  throw error;
};

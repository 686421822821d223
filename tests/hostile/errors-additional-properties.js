// Attacks: A thrown error with billions of additional properties.
// Ends: error Error
export default () => {
  const error = new Error("no");
  const keys = Object.assign([], { length: 2 ** 32 - 1 });
  error[Symbol.for("errorAdditionalPropertyKeys")] = keys;
  error.errorAdditionalPropertyKeys = keys;
  throw error;
};

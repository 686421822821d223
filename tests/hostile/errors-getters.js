// Attacks: An error whose every property throws or changes.
// Ends: error 
export default async () => {
  let count = 0;
  const error = new Error("x");
  for (const key of ["name", "message", "stack", "cause", "errors", "toString", "constructor"]) Object.defineProperty(error, key, { get() { if (count++ % 2) throw error; return {}; } });
  throw error;
};

// Attacks: Errors whose names and messages are long or change.
// Ends: result 1 | time
// Process-only: the formatter computes a second without a check for termination.
export default async () => {
  let count = 0;
  const error = Object.defineProperties(new Error("x"), { name: { get: () => "x".repeat(count++ * 1e5) }, message: { get: () => "y".repeat(count++ * 1e5) }, stack: { get: () => count++ % 2 ? "z" : undefined } });
  for (let index = 0; index < 10; index++) try { console.log(error); } catch {}
  return 1;
};

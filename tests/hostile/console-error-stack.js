// Attacks: Errors whose stacks are no texts, or long ones.
// Ends: result 1 | time
// Process-only: the formatter computes a second without a check for termination.
export default async () => {
  for (const stack of [1, null, {}, "\n".repeat(1e6), "    at x (".repeat(1e5), { toString() { throw 1; } }, Symbol("x")]) {
    const error = new Error("x");
    error.stack = stack;
    try { console.log(error, [error], { error }); } catch {}
  }
  return 1;
};

// Attacks: A limit of stacks that is no number.
// Ends: result 1 | time
export default async () => {
  for (const limit of [NaN, -1, 2 ** 53, "x", {}, undefined]) {
    Error.stackTraceLimit = limit;
    const deep = (level) => level === 0 ? new Error("x").stack : deep(level - 1);
    try { deep(1000); } catch {}
  }
  Object.defineProperty(Error, "stackTraceLimit", { get() { throw 1; } });
  try { new Error("x").stack; } catch {}
  return 1;
};

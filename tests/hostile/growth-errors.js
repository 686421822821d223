// Attacks: Errors with long stacks, kept.
// Ends: time | memory | buffers
export default async () => {
  Error.stackTraceLimit = 10_000;
  const all = [];
  const deep = (level) => level === 0 ? new Error("x".repeat(1000)) : deep(level - 1);
  for (;;) all.push(deep(1000));
};

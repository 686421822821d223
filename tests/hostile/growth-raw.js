// Attacks: Templates with long parts.
// Ends: memory | buffers
export default async () => {
  const long = "x".repeat(2 ** 22);
  const all = [];
  for (;;) all.push(String.raw({ raw: { length: 2 ** 10, get 0() { return long; }, get 1() { return long; } } }, ...new Array(100).fill(long)));
};

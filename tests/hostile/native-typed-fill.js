// Attacks: Filling a typed array without end.
// Ends: time | memory | buffers
// Process-only: V8 fills a whole typed array without a check for termination
export default async () => {
  const list = new Float64Array(2 ** 21);
  for (;;) list.fill(1).reverse().copyWithin(1, 0);
};

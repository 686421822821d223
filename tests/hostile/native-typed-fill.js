// Attacks: Filling a typed array without end.
// Ends: time | memory | buffers
export default async () => {
  const list = new Float64Array(2 ** 21);
  for (;;) list.fill(1).reverse().copyWithin(1, 0);
};

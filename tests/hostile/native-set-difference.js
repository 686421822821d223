// Attacks: Set operations on large sets, over and over.
// Ends: time | memory | buffers
export default async () => {
  const all = new Set(Array.from({ length: 2 ** 17 }, (_, index) => index));
  for (;;) all.symmetricDifference(new Set([1])).intersection(all).isSubsetOf(all);
};

// Attacks: Sort of a typed array with a comparator.
// Ends: memory | time
export default async () => {
  const a = new Float64Array(2 ** 21);
  for (;;) a.sort((x, y) => y - x);
};

// Attacks: Iterators of iterators.
// Ends: error RangeError
export default async () => {
  let all = [1].values();
  for (let level = 0; level < 100_000; level++) all = all.flatMap((x) => [x, x]);
  return all.toArray().length;
};

// Attacks: Groups without end.
// Ends: memory | buffers
export default async () => {
  let key = 0;
  Map.groupBy({ [Symbol.iterator]: () => ({ next: () => ({ done: false, value: key++ }) }) }, (x) => x);
};

// Attacks: Array.prototype.to-sorted on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].toSorted.call({ length: 2 ** 32 - 1 }) ?? null;
};

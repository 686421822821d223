// Attacks: Array.prototype.copy-within on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].copyWithin.call(o, 1, 0) ?? null;
};

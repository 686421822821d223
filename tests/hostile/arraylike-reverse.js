// Attacks: Array.prototype.reverse on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].reverse.call(o) ?? null;
};

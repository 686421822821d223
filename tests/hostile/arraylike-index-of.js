// Attacks: Array.prototype.index-of on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].indexOf.call(o, 1) ?? null;
};

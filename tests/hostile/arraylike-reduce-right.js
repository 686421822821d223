// Attacks: Array.prototype.reduce-right on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].reduceRight.call(o, (a) => a, 0) ?? null;
};

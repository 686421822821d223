// Attacks: Array.prototype.unshift on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].unshift.call({ length: 2 ** 53 - 2 }, 1) ?? null;
};

// Attacks: Array.prototype.map on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].map.call({ length: 2 ** 32 - 1 }, (x) => x) ?? null;
};

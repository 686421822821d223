// Attacks: Array.prototype.join on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].join.call({ length: 2 ** 32 - 1 }) ?? null;
};

// Attacks: Array.prototype.copy-within on an empty array of the greatest length.
// Ends: error RangeError
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.copyWithin(1, 0);
  return typeof result;
};

// Attacks: Array.prototype.unshift on an empty array of the greatest length.
// Ends: error RangeError
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.unshift(1);
  return typeof result;
};

// Attacks: Array.prototype.with on an empty array of the greatest length.
// Ends: error RangeError
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.with(0, 1);
  return typeof result;
};

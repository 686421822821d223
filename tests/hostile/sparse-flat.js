// Attacks: Array.prototype.flat on an empty array of the greatest length.
// Ends: error RangeError
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.flat();
  return typeof result;
};

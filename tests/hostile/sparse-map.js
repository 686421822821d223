// Attacks: Array.prototype.map on an empty array of the greatest length.
// Ends: error RangeError
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.map((x) => x);
  return typeof result;
};

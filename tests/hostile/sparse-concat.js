// Attacks: Array.prototype.concat on an empty array of the greatest length.
// Ends: error RangeError
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.concat([1]);
  return typeof result;
};

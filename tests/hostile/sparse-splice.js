// Attacks: Array.prototype.splice on an empty array of the greatest length.
// Ends: error RangeError
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.splice(0, 1);
  return typeof result;
};

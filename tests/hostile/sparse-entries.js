// Attacks: Array.prototype.entries on an empty array of the greatest length.
// Ends: memory | time
export default async () => {
  const a = new Array(2 ** 32 - 1);
  const result = a.entries().toArray();
  return typeof result;
};

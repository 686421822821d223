// Attacks: A number of millions of digits.
// Ends: time | memory | buffers
export default async () => {
  return typeof BigInt("9".repeat(2 ** 23));
};

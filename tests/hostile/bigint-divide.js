// Attacks: A quotient.
// Ends: memory | time
export default async () => {
  const n = (1n << 2n ** 25n) - 1n;
  return (n * n) / (n - 5n) > 0n;
};

// Attacks: Shifts and cuts of numbers of a million bits.
// Ends: time | memory | buffers
// Process-only: an operation on numbers of a million digits is not interrupted.
export default async () => {
  const large = 1n << 2n ** 23n;
  for (;;) BigInt.asUintN(2 ** 23, -large) ** 2n % (large - 1n);
};

// Attacks: A large number, formatted.
// Ends: result 1333334 | time
export default async () => {
  return new Intl.NumberFormat("de").format(10n ** 1_000_000n).length;
};

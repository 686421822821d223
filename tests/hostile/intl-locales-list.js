// Attacks: A list of a million locales.
// Ends: time | memory | result 1
// Process-only: the list is checked without a check for termination.
export default async () => {
  return Intl.getCanonicalLocales(new Array(2 ** 20).fill("de-DE")).length;
};

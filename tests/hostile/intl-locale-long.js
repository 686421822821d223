// Attacks: A locale of a megabyte.
// Ends: result 1179654 | time
export default async () => {
  return new Intl.Locale(`de-x-${"abcdefgh-".repeat(2 ** 17)}a`).toString().length;
};

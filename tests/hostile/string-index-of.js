// Attacks: IndexOf, quadratic of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return 'a'.repeat(2 ** 28).indexOf('b' + 'a'.repeat(2 ** 14));
};

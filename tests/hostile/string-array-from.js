// Attacks: Array.from of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return Array.from('x'.repeat(2 ** 29 - 25)).length;
};

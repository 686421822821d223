// Attacks: JSON.parse of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return JSON.parse('x'.repeat(2 ** 29 - 25));
};

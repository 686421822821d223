// Attacks: LastIndexOf of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return 'a'.repeat(2 ** 28).lastIndexOf('a'.repeat(2 ** 20) + 'b');
};

// Attacks: Normalize of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return 'é'.repeat(2 ** 28).normalize('NFD').length;
};

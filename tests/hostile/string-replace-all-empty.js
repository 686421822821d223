// Attacks: ReplaceAll of nothing of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return 'x'.repeat(2 ** 29 - 25).replaceAll('', 'yy').length;
};

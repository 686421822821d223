// Attacks: Intl.Segmenter of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return [...new Intl.Segmenter('en').segment('x'.repeat(2 ** 29 - 25))].length;
};

// Attacks: One segment of a long text.
// Ends: error RangeError
export default async () => {
  return new Intl.Segmenter('ja', { granularity: 'sentence' }).segment('猫'.repeat(2 ** 26)).containing(2 ** 25).index;
};

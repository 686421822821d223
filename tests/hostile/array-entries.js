// Attacks: Object.entries of a long text.
// Ends: error RangeError
export default async () => {
  return Object.entries('x'.repeat(2 ** 26)).length;
};

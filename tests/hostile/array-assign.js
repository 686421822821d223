// Attacks: Object.assign from a long text.
// Ends: error RangeError
export default async () => {
  return Object.keys(Object.assign({}, 'x'.repeat(2 ** 26))).length;
};

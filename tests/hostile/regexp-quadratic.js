// Attacks: A search that is quadratic in a long text.
// Ends: time
export default async () => {
  return /x*y/.test('x'.repeat(1e6));
};

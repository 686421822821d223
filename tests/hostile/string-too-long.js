// Attacks: A text longer than texts can be.
// Ends: error RangeError
export default async () => {
  return 'x'.repeat(2 ** 29);
};

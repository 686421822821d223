// Attacks: Apply with a huge list.
// Ends: error RangeError
export default async () => {
  return Array.apply(null, { length: 2 ** 26 }).length;
};

// Attacks: Array.from of a length.
// Ends: error RangeError
export default async () => {
  return Array.from({ length: 1e9 }).length;
};

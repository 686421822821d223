// Attacks: Array.from of a length, mapped.
// Ends: error RangeError
export default async () => {
  return Array.from({ length: 1e9 }, (_, i) => i).length;
};

// Attacks: A Set of a long array.
// Ends: time
export default async () => {
  return new Set(new Array(2 ** 26)).size;
};

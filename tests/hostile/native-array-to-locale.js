// Attacks: A sparse array as text of the locale.
// Ends: error RangeError
export default async () => {
  return new Array(2 ** 31).toLocaleString().length;
};

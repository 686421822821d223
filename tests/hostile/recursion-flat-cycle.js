// Attacks: Flat(Infinity) on an array that holds itself twice.
// Ends: error RangeError
export default async () => {
  const a = [];
  a.push(a, a);
  return a.flat(Infinity).length;
};

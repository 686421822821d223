// Attacks: Flat(Infinity) on a deep array.
// Ends: error RangeError
export default async () => {
  let a = [];
  for (let i = 0; i < 1e5; i++) a = [a];
  return a.flat(Infinity).length;
};

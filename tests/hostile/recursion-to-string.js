// Attacks: An array whose elements join themselves, deep.
// Ends: error RangeError
export default async () => {
  let a = [];
  for (let i = 0; i < 1e5; i++) a = [a];
  return String(a);
};

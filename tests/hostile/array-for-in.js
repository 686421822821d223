// Attacks: For-in of a long text.
// Ends: error RangeError
export default async () => {
  let n = 0;
  for (const key in new String('x'.repeat(2 ** 27))) n++;
  return n;
};

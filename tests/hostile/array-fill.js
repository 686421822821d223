// Attacks: Fill of 2^27 elements.
// Ends: error RangeError
export default async () => {
  return new Array(2 ** 27).fill(1).length;
};

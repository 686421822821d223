// Attacks: Fill of 2^25 elements.
// Ends: memory | time
export default async () => {
  return new Array(2 ** 25).fill(1.5).length;
};

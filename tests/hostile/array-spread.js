// Attacks: Spread of a sparse array.
// Ends: memory | time
export default async () => {
  return [...new Array(2 ** 27)].length;
};

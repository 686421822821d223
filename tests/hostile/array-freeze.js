// Attacks: Object.freeze of a long array.
// Ends: memory | time
export default async () => {
  return Object.freeze(new Array(2 ** 25).fill(1)).length;
};

// Attacks: A map with a million long keys.
// Ends: result 1 | time | memory
export default async () => {
  console.log(new Map(Array.from({ length: 2 ** 16 }, (_, index) => [`${index}`.repeat(100), index])));
  return 1;
};

// Attacks: What is thrown is a large value.
// Ends: error | time | memory
export default async () => {
  throw { list: new Array(2 ** 20).fill("x".repeat(100)) };
};

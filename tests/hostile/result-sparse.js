// Attacks: A result that is an empty array of the greatest length.
// Ends: result | time
export default async () => {
  return new Array(2 ** 32 - 1);
};

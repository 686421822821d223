// Attacks: Join of a long array with a long separator.
// Ends: result 268369920
export default async () => {
  return new Array(2 ** 12).join('x'.repeat(2 ** 16)).length;
};

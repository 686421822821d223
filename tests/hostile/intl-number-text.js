// Attacks: A number of a million digits.
// Ends: result 1
export default async () => {
  return new Intl.NumberFormat("de").format("9".repeat(2 ** 20)).length;
};

// Attacks: A placeholder with a giant.
// Ends: error RangeError
export default async () => {
  console.log("%s%s", "x".repeat(2 ** 27), "y".repeat(2 ** 27));
};

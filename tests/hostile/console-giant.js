// Attacks: One giant line.
// Ends: error RangeError
export default async () => {
  console.log("x".repeat(2 ** 27));
};

// Attacks: Join of doubles.
// Ends: result 37748735 | time
export default async () => {
  return new Float64Array(2 ** 21).fill(Math.PI).join().length;
};

// Attacks: A call with a huge spread.
// Ends: memory | time
export default async () => {
  return Math.max(...new Array(2 ** 26));
};

// Attacks: Catastrophic backtracking, backwards.
// Ends: result false
export default async () => {
  return /(?<=(a+)+)$b/.test('a'.repeat(40));
};

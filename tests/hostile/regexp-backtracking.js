// Attacks: Catastrophic backtracking.
// Ends: time
export default async () => {
  return /^(a+)+$/.test('a'.repeat(40) + 'b');
};

// Attacks: A pattern nested deep.
// Ends: error SyntaxError
export default async () => {
  return new RegExp('('.repeat(1e6) + ')'.repeat(1e6)).test('');
};

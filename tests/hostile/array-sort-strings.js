// Attacks: Sort of long equal texts.
// Ends: memory | time
export default async () => {
  const a = [];
  for (let i = 0; i < 2e5; i++) a.push('x'.repeat(1e5) + i);
  return a.sort().length;
};

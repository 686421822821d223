// Attacks: An array that is made longer and longer.
// Ends: memory | time
export default async () => {
  for (let n = 1; ; n *= 2) { const a = new Array(n); a.fill(0); if (n > 2 ** 26) n = 1; }
};

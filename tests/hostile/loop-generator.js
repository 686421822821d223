// Attacks: A generator without end, spread.
// Ends: memory | time
export default async () => {
  return [...(function* () { for (;;) yield; })()].length;
};

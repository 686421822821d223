// Attacks: An array without end.
// Ends: memory | time
export default async () => {
  const a = [];
  for (;;) a.push(a.length);
};

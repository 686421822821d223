// Attacks: A Map without end.
// Ends: memory | time
export default async () => {
  const m = new Map();
  for (let i = 0; ; i++) m.set(i, i);
};

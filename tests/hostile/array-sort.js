// Attacks: Sort of a long array.
// Ends: memory | time
export default async () => {
  const a = [];
  for (let i = 0; i < 3e6; i++) a.push((i * 7919) % 1000003);
  return a.sort().length;
};

// Attacks: Texts without end.
// Ends: memory | time
export default async () => {
  const all = [];
  for (let i = 0; ; i++) all.push(`${i}`.repeat(1000));
};

// Attacks: Spread that doubles.
// Ends: memory | time
export default async () => {
  let a = [1];
  for (;;) a = [...a, ...a];
};

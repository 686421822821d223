// Attacks: Promise.all without end.
// Ends: memory | time
export default async () => {
  return Promise.all((function* () { for (;;) yield 1; })());
};

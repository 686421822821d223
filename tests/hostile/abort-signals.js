// Attacks: Signals without end.
// Ends: memory | time
export default async () => {
  const all = [];
  for (;;) all.push(AbortSignal.any([new AbortController().signal]));
};

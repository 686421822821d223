// Attacks: A WeakMap without end.
// Ends: memory | time
export default async () => {
  const m = new WeakMap(), all = [];
  for (;;) { const o = {}; all.push(o); m.set(o, {}); }
};

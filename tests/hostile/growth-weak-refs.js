// Attacks: Weak references and registries.
// Ends: memory | buffers
export default async () => {
  const registry = new FinalizationRegistry(() => {});
  const all = [];
  for (;;) { const target = {}; registry.register(target, new Array(100), target); all.push(new WeakRef(target)); }
};

// Attacks: WeakRefs and finalizers without end.
// Ends: memory | time
export default async () => {
  const r = new FinalizationRegistry(() => {});
  for (;;) { const o = {}; new WeakRef(o); r.register(o, 1); }
};

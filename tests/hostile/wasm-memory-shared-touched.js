// Attacks: Shared memories that are written to.
// Ends: buffers
export default async () => {
  const all = [];
  for (;;) { const m = new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true }); new Uint8Array(m.buffer).fill(1); all.push(m); }
};

// Attacks: A memory that is written to.
// Ends: buffers
export default async () => {
  const all = [];
  for (;;) { const m = new WebAssembly.Memory({ initial: 256 }); new Uint8Array(m.buffer).fill(1); all.push(m); }
};

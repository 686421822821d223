// Attacks: A buffer that may grow.
// Ends: buffers | time
export default async () => {
  const all = [];
  for (;;) { const b = new ArrayBuffer(0, { maxByteLength: 2 ** 28 }); b.resize(2 ** 22); new Uint8Array(b).fill(1); all.push(b); }
};

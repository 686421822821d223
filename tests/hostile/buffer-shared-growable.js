// Attacks: A shared buffer that may grow.
// Ends: error RangeError
export default async () => {
  const all = [];
  for (;;) { const b = new SharedArrayBuffer(0, { maxByteLength: 2 ** 28 }); b.grow(2 ** 22); new Uint8Array(b).fill(1); all.push(b); }
};

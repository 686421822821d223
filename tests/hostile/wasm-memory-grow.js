// Attacks: A memory that grows.
// Ends: buffers | time
export default async () => {
  const m = new WebAssembly.Memory({ initial: 1 });
  for (;;) { m.grow(16); new Uint8Array(m.buffer).fill(1); }
};

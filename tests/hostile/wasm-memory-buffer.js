// Attacks: Memories whose buffers are taken and grown.
// Ends: time | memory | buffers
export default async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4096 });
  const all = [];
  for (let index = 0; ; index++) { memory.grow(1); all.push(memory.buffer, new Uint8Array(memory.buffer).fill(1)); }
};

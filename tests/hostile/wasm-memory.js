// Attacks: Memories without end.
// Ends: buffers
export default async () => {
  const all = [];
  for (;;) all.push(new WebAssembly.Memory({ initial: 256 }));
};

// Attacks: Shared memories without end.
// Ends: buffers
export default async () => {
  const all = [];
  for (;;) all.push(new WebAssembly.Memory({ initial: 4096, maximum: 4096, shared: true }));
};

// Attacks: Small buffers without end.
// Ends: memory | time
export default async () => {
  const all = [];
  for (;;) all.push(new Uint8Array(100));
};

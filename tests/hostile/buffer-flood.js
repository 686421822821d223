// Attacks: Buffers without end.
// Ends: buffers | memory | time
export default async () => {
  const all = [];
  for (;;) all.push(new Uint8Array(1e6));
};

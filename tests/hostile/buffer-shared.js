// Attacks: Shared buffers without end.
// Ends: buffers | memory | time
export default async () => {
  const all = [];
  for (;;) all.push(new SharedArrayBuffer(1e6));
};

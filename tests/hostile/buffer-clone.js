// Attacks: StructuredClone of a buffer without end.
// Ends: buffers | memory | time
export default async () => {
  const b = new Uint8Array(1e7), all = [];
  for (;;) all.push(structuredClone(b));
};

// Attacks: Blobs without end.
// Ends: buffers | time
export default async () => {
  const all = [];
  for (;;) all.push(new Blob(["x".repeat(1e6)]));
};

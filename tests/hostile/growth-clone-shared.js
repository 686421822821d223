// Attacks: A clone of a buffer that many views share.
// Ends: memory | buffers
export default async () => {
  const buffer = new ArrayBuffer(2 ** 20);
  const views = Array.from({ length: 2 ** 14 }, () => new Uint8Array(buffer));
  const all = [];
  for (;;) all.push(structuredClone(views));
};

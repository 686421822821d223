// Attacks: A search in a typed array of 32 MB, over and over.
// Ends: time | memory | buffers
export default async () => {
  const list = new Uint8Array(2 ** 24);
  for (;;) list.indexOf(1);
};

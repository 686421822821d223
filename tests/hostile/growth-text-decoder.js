// Attacks: Decoded texts, kept.
// Ends: memory | buffers
export default async () => {
  const bytes = new Uint8Array(2 ** 22).fill(65);
  const all = [];
  for (;;) all.push(new TextDecoder("utf-16le").decode(bytes), new TextDecoder().decode(bytes));
};

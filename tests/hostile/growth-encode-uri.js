// Attacks: Texts that are nine times as long when encoded.
// Ends: memory | buffers
export default async () => {
  const all = [];
  for (;;) all.push(encodeURIComponent("\u20ac".repeat(2 ** 22)));
};

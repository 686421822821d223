// Attacks: Escapes, of escapes.
// Ends: time | memory | buffers
export default async () => {
  let text = "%".repeat(1000);
  for (;;) text = encodeURIComponent(text);
};

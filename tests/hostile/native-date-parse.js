// Attacks: Dates of long texts.
// Ends: time | memory | buffers
export default async () => {
  const text = "1 ".repeat(2 ** 23);
  for (;;) new Date(text);
};

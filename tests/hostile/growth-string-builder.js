// Attacks: Texts that are made of copies of another, kept.
// Ends: memory | buffers
export default async () => {
  const text = "xy".repeat(2 ** 20);
  const all = [];
  for (;;) all.push(text.toUpperCase(), text.replaceAll("x", "zz"), text.padEnd(2 ** 22, "-"));
};

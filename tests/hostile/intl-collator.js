// Attacks: Comparisons of long texts by the rules of a language.
// Ends: time | memory | buffers
export default async () => {
  const text = "a\u0301".repeat(2 ** 22);
  const collator = new Intl.Collator("de", { sensitivity: "base" });
  for (;;) collator.compare(text, `${text}b`);
};

// Attacks: The segments of a long text.
// Ends: memory | buffers
export default async () => {
  const segments = new Intl.Segmenter("th", { granularity: "word" }).segment("\u0e01".repeat(2 ** 20));
  return [...segments].length;
};

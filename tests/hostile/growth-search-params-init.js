// Attacks: Parameters from a list of pairs of one text.
// Ends: time | memory | buffers
export default async () => {
  const text = "\u20ac".repeat(2 ** 18);
  return new URLSearchParams(new Array(1000).fill(["a", text])).toString().length;
};

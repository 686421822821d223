// Attacks: Parameters that are one text.
// Ends: time | memory | buffers
export default async () => {
  const params = new URLSearchParams();
  const text = "\u20ac".repeat(2 ** 18);
  for (let index = 0; index < 1000; index++) params.append("a", text);
  return params.toString().length;
};

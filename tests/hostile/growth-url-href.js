// Attacks: A URL that grows.
// Ends: time | memory | buffers
export default async () => {
  const url = new URL("http://a/");
  for (;;) url.pathname += "\u20ac".repeat(2 ** 16);
};

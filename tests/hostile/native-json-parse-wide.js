// Attacks: JSON with millions of keys.
// Ends: memory | buffers
export default async () => {
  const text = `[${"{},".repeat(2 ** 20)}{}]`;
  const all = [];
  for (;;) all.push(JSON.parse(text));
};

// Attacks: All matches of an expression with many groups.
// Ends: memory | buffers
export default async () => {
  const text = "ab".repeat(2 ** 20);
  const all = [];
  for (const match of text.matchAll(/(a)(b)(?<c>)|(d)/g)) all.push(match, match.indices);
};

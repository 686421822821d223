// Attacks: Normal forms that are eighteen times as long.
// Ends: time | memory | buffers
export default async () => {
  const text = "\ufdfa".repeat(2 ** 22);
  return text.normalize("NFKD").length;
};

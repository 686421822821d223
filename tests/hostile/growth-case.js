// Attacks: Upper case that is three times as long.
// Ends: time | memory | buffers
// Process-only: a long text is converted without a check for termination.
export default async () => {
  const text = "\u0390".repeat(2 ** 24);
  return text.toUpperCase().length;
};

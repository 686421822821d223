// Attacks: Raw JSON that is long and repeated.
// Ends: time | memory | buffers
// Process-only: the text is built in memory that is counted late.
export default async () => {
  const raw = JSON.rawJSON(`"${"x".repeat(2 ** 24)}"`);
  return JSON.stringify(new Array(2 ** 12).fill(raw)).length;
};

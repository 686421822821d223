// Attacks: A list of a million entries.
// Ends: time | memory | buffers
// Process-only: the list is formatted in memory that is not counted, without a check for termination.
export default async () => {
  return new Intl.ListFormat("de").format(new Array(2 ** 19).fill("x".repeat(100))).length;
};

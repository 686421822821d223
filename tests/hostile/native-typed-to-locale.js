// Attacks: A typed array as text of the locale.
// Ends: time | memory | buffers
// Process-only: a long list is formatted without a check for termination.
export default async () => {
  return new Float64Array(2 ** 20).toLocaleString("de").length;
};

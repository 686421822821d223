// Attacks: Sorting by the rules of a language.
// Ends: memory | buffers
export default async () => {
  const list = Array.from({ length: 2 ** 16 }, (_, index) => `${"\u00e4".repeat(1000)}${index}`);
  return list.sort((a, b) => a.localeCompare(b, "de")).length;
};

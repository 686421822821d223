// Attacks: A clone whose getters return one long text each.
// Ends: time | memory | buffers
// Process-only: the clone is serialized in memory that is not counted.
export default async () => {
  const text = "x".repeat(2 ** 24);
  const object = {};
  for (let index = 0; index < 1000; index++) Object.defineProperty(object, index, { get: () => text, enumerable: true });
  return Object.keys(structuredClone(object)).length;
};

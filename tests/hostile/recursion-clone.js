// Attacks: StructuredClone of a deep object.
// Ends: error RangeError
export default async () => {
  let o = {};
  for (let i = 0; i < 1e5; i++) o = { o };
  return structuredClone(o);
};

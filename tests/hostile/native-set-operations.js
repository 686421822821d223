// Attacks: Set operations with a set-like of endless keys.
// Ends: memory | buffers
export default async () => {
  const endless = { size: 1e9, has: () => true, keys: () => ({ next: () => ({ done: false, value: {} }) }) };
  return new Set([1]).union(endless).size;
};

// Attacks: Set methods on something said to be endless.
// Ends: time
export default async () => {
  return new Set([1]).union({ size: Infinity, has: () => true, keys: () => ({ next: () => ({ done: false, value: 1 }) }) });
};

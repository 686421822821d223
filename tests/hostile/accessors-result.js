// Attacks: A result while prototypes have accessors.
// Ends: error Error
export default async () => {
  for (const holder of [Array.prototype, Object.prototype]) for (const key of [0, 1, "toJSON", "length"]) Reflect.defineProperty(holder, key, { get() { throw new Error(`read ${key}`); }, configurable: true });
  return [, { a: [] }];
};

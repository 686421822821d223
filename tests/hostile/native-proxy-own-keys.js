// Attacks: A proxy with millions of keys.
// Ends: memory | buffers
export default async () => {
  const keys = Array.from({ length: 2 ** 20 }, (_, index) => `k${index}`);
  return Object.keys(new Proxy({}, { ownKeys: () => keys, getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) })).length;
};

// Attacks: A result that says it is endless.
// Ends: time
export default async () => {
  return new Proxy([], { get: (t, k) => (k === "length" ? 2 ** 32 - 1 : 1) });
};

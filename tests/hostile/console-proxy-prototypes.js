// Attacks: Values whose prototypes are proxies that change.
// Ends: result 1 | time
export default async () => {
  let count = 0;
  const trap = () => { count++; return count % 3 ? undefined : null; };
  const handler = new Proxy({}, { get: () => trap });
  for (let index = 0; index < 100; index++) try { console.log(Object.create(new Proxy(function () {}, { getPrototypeOf: () => null, get: (_, key) => key === Symbol.toStringTag ? "x".repeat(1e5) : trap })), Object.create(new Proxy({}, handler))); } catch {}
  return 1;
};

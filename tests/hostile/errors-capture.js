// Attacks: Stacks captured on all kinds of objects.
// Ends: result 1
export default async () => {
  for (const target of [{}, [], Object.freeze({}), new Proxy({}, {}), globalThis, Error.prototype, new Uint8Array(1)]) {
    try { Error.captureStackTrace(target, () => {}); String(target.stack); } catch {}
  }
  return 1;
};

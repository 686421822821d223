// Attacks: Proxies that are revoked while they are printed.
// Ends: result 1
export default async () => {
  const { proxy, revoke } = Proxy.revocable({ a: 1 }, {});
  const list = [{ get [Symbol.toStringTag]() { revoke(); return "x"; } }, proxy, { __proto__: proxy }];
  try { console.log(list); } catch {}
  try { console.dir(list, { showProxy: true }); } catch {}
  return 1;
};

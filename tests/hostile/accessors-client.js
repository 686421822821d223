// Attacks: Calls of tailor.idp while prototypes have accessors.
// Ends: result 1
export default async () => {
  const client = new tailor.idp.Client({ namespace: "builtin-idp" });
  for (const holder of [Array.prototype, Object.prototype]) {
    for (let index = 0; index < 8; index++) Object.defineProperty(holder, index, { set() {}, get() { return {}; }, configurable: true });
  }
  for (const key of ["first", "query", "name", "users", "nextPageToken", "totalCount", "disabled", "code", "then"]) Object.defineProperty(Object.prototype, key, { get() { return undefined; }, set() { throw 1; }, configurable: true });
  for (const call of [() => client.users(), () => client.users({ first: 1 }), () => client.user("x"), () => client.createUser({ name: "a@example.com", password: "x" })]) try { await call(); } catch {}
  return 1;
};

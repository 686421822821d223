// Attacks: An argument with a list that says it is endless.
// Ends: result "Error"
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  return idp.users({ query: { ids: new Proxy([], { get: (t, k) => (k === "length" ? 2 ** 32 - 1 : "x") }) } }).then(() => "ok", (e) => e.name);
};

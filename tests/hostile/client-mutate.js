// Attacks: An argument that changes as it is read.
// Ends: result "Error"
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  const ids = [];
  ids.push({ get length() { return 1; }, toString() { ids.push(this); return "x"; } });
  return idp.users({ query: { ids, get names() { ids.length = 0; return ids; } } }).then(() => "ok", (e) => e.name);
};

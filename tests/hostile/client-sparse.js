// Attacks: An argument with an empty list of the greatest length.
// Ends: result "Error"
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  return idp.users({ query: { ids: new Array(2 ** 32 - 1) } }).then(() => "ok", (e) => e.name);
};

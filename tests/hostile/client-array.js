// Attacks: An argument with a giant list.
// Ends: error RangeError
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  return idp.users({ query: { ids: new Array(2 ** 27).fill("x") } }).then(() => "ok", (e) => e.name);
};

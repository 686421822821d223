// `JSON.stringify` would make `{}` of it.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  return { user: idp.createUser({ name: "ana@example.com" }) };
};

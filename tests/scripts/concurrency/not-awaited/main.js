// The handler returns while a call is still under way: the result does not wait for it, and nothing fails.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  idp.createUser({ name: "ana@example.com", password: "correct horse" });
  return "done";
};

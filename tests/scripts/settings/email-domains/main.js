const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch (error) {
    console.log(what, error.code, error.message);
  }
};

export default async () => {
  const { id } = await idp.createUser({ name: "ana@example.com" });
  const names = [
    "Bo@EXAMPLE.com",
    "bo@bücher.example",
    "bo@xn--bcher-kva.example",
    "bo@example.org",
    "bo@sub.example.com",
    "bo@notexample.com",
    "bo@example.com.evil.org",
  ];
  for (const name of names) await attempt(`create ${name}`, () => idp.createUser({ name }));
  await attempt("rename within", () => idp.updateUser({ id, name: "anna@example.com" }));
  await attempt("rename away", () => idp.updateUser({ id, name: "anna@example.org" }));
  await attempt("change without a name", () => idp.updateUser({ id, disabled: true }));
  return (await idp.users()).users.map(({ name }) => name);
};

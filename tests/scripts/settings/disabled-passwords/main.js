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
  await attempt("create with a password", () => idp.createUser({ name: "bo@example.com", password: "long enough" }));
  await attempt("set a password", () => idp.updateUser({ id, password: "long enough" }));
  await attempt("clear the password", () => idp.updateUser({ id, clearPassword: true }));
  await attempt("clearPassword: false", () => idp.updateUser({ id, clearPassword: false }));
  const redirectUri = "https://app.example.com/";
  await attempt("reset mail", () => idp.sendPasswordResetEmail({ userId: id, redirectUri }));
  await attempt("disable", () => idp.updateUser({ id, disabled: true }));
  return (await idp.users()).totalCount;
};

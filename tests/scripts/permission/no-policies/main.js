// Everything is denied to everybody, and nothing of it is done.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch (error) {
    console.log(what, error.code, error.message);
  }
};

export default async ({ ana }) => {
  const redirectUri = "https://app.example.com/";
  await attempt("user", () => idp.user(ana));
  await attempt("userByName", () => idp.userByName("ana@example.com"));
  await attempt("createUser", () => idp.createUser({ name: "bo@example.com", password: "long enough" }));
  await attempt("updateUser", () => idp.updateUser({ id: ana, disabled: true }));
  await attempt("updateUser, of nothing", () => idp.updateUser({ id: ana }));
  await attempt("deleteUser", () => idp.deleteUser(ana));
  await attempt("sendPasswordResetEmail", () => idp.sendPasswordResetEmail({ userId: ana, redirectUri }));
  await attempt("unenrollMfa", () => idp.unenrollMfa({ userId: ana, mfaFactorId: "a-factor" }));
  return await idp.users();
};

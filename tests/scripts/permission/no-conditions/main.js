// What matches always permits everybody, even where nobody has signed in.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

export default async () => {
  const redirectUri = "https://app.example.com/";
  const { id: userId, mfaFactorIds } = await idp.userByName("ana@example.com");
  await attempt("user", () => idp.user(userId));
  await attempt("createUser", () => idp.createUser({ name: "bo@example.com" }));
  await attempt("sendPasswordResetEmail", () => idp.sendPasswordResetEmail({ userId, redirectUri }));
  await attempt("unenrollMfa", () => idp.unenrollMfa({ userId, mfaFactorId: mfaFactorIds[0] }));
  await attempt("updateUser", () => idp.updateUser({ id: userId, disabled: true }));
  await attempt("deleteUser", () => idp.deleteUser(userId));
  return (await idp.users()).users.map(({ name }) => name);
};

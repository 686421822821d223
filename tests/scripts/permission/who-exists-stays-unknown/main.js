// Who may not read every user gets one answer for a user who is not there and for one whom they may not touch, word for word.
const idp = new tailor.idp.Client("builtin-idp");
const redirectUri = "https://app.example.com/";
const failure = (call) => call.then(() => "done", ({ code, message }) => `${code} ${message}`);

export default async ({ ana, bo }) => {
  const calls = {
    "user": (id) => idp.user(id),
    "updateUser": (id) => idp.updateUser({ id }),
    "updateUser, to a taken name": (id) => idp.updateUser({ id, name: "ana@example.com" }),
    "updateUser, to no e-mail": (id) => idp.updateUser({ id, name: "Bo" }),
    "updateUser, to a short password": (id) => idp.updateUser({ id, password: "x" }),
    "deleteUser": (id) => idp.deleteUser(id),
    "sendPasswordResetEmail": (userId) => idp.sendPasswordResetEmail({ userId, redirectUri }),
    "sendPasswordResetEmail, to elsewhere": (userId) =>
      idp.sendPasswordResetEmail({ userId, redirectUri: "https://example.org/" }),
    "unenrollMfa": (userId) => idp.unenrollMfa({ userId, mfaFactorId: "ghost" }),
  };
  for (const [what, call] of Object.entries(calls)) {
    const [there, nowhere] = [await failure(call(bo)), await failure(call("ghost"))];
    console.log(`${what}: ${there}${nowhere === there ? "" : `, but ${nowhere}`}`);
  }
  const [there, nowhere] = [await failure(idp.userByName("bo@example.com")), await failure(idp.userByName("ghost"))];
  console.log(`userByName: ${there}${nowhere === there ? "" : `, but ${nowhere}`}`);
  return [(await idp.user(ana)).name, await idp.deleteUser(ana), await failure(idp.deleteUser(ana))];
};

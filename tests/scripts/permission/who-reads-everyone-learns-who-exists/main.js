// Every user, by what the policies say together: administrators read who is enabled, and who is not.
const idp = new tailor.idp.Client("builtin-idp");
const redirectUri = "https://app.example.com/";

export default async ({ bo }) => {
  const calls = {
    "user": (id) => idp.user(id),
    "updateUser": (id) => idp.updateUser({ id }),
    "deleteUser": (id) => idp.deleteUser(id),
    "sendPasswordResetEmail": (userId) => idp.sendPasswordResetEmail({ userId, redirectUri }),
    "unenrollMfa": (userId) => idp.unenrollMfa({ userId, mfaFactorId: "ghost" }),
  };
  for (const [what, call] of Object.entries(calls)) {
    for (const [who, id] of [["bo", bo], ["ghost", "ghost"]]) {
      const end = await call(id).then(() => "done", ({ message }) => message);
      console.log(`${what} ${who}: ${end}`);
    }
  }
  await idp.userByName("Ghost@example.com").catch(({ message }) => console.log(message));
};

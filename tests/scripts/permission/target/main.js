// The id, the name and the state of whom it is about. A machine user is an invoker like any other.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

export default async ({ ana, bo, cy }) => {
  const redirectUri = "https://app.example.com/";
  await attempt("read ana", () => idp.user(ana));
  await attempt("read cy, disabled", () => idp.user(cy));
  await attempt("create, enabled", () => idp.createUser({ name: "dee@example.com" }));
  await attempt("create, disabled", () => idp.createUser({ name: "dee@example.com", disabled: true }));
  await attempt("mail to ana", () => idp.sendPasswordResetEmail({ userId: ana, redirectUri }));
  await attempt("mail to bo", () => idp.sendPasswordResetEmail({ userId: bo, redirectUri }));
  await attempt("delete ana", () => idp.deleteUser(ana));
  await attempt("delete bo", () => idp.deleteUser(bo));
};

// What is denied does not tell whether the name is taken.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

export default async ({ ana, bo }) => {
  await attempt("ana stays as she is", () => idp.updateUser({ id: ana }));
  await attempt("ana -> eve", () => idp.updateUser({ id: ana, name: "eve@example.com" }));
  await attempt("ana -> bo, who is there", () => idp.updateUser({ id: ana, name: "bo@example.com" }));
  await attempt("ana -> Anna", () => idp.updateUser({ id: ana, name: "Anna@Example.com" }));
  await attempt("anna -> ana", () => idp.updateUser({ id: ana, name: "ana@example.com" }));
  await attempt("bo -> bob, disabled", () => idp.updateUser({ id: bo, name: "bob@example.com", disabled: true }));
  await attempt("disable bo", () => idp.updateUser({ id: bo, disabled: true }));
  await attempt("disable bo again", () => idp.updateUser({ id: bo, disabled: true }));
  await attempt("enable bo", () => idp.updateUser({ id: bo, disabled: false }));
  return (await idp.users()).users.map(({ name, disabled }) => ({ name, disabled }));
};

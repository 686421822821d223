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
  const { id } = await idp.userByName("ana@example.com");
  await attempt("create", () => idp.createUser({ name: "bo@example.com" }));
  await attempt("update", () => idp.updateUser({ id, disabled: true }));
  await attempt("delete", () => idp.deleteUser(id));
};

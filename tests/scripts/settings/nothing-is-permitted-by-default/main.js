const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch (error) {
    console.log(what, error.code);
  }
};

export default async () => {
  await attempt("create", () => idp.createUser({ name: "bo@example.com" }));
  await attempt("read", () => idp.userByName("ana@example.com"));
  return await idp.users();
};

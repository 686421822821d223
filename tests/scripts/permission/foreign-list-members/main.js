// In an attribute that is a list, numbers, null, objects and lists are passed over. The other members count, whether a policy
// permits or denies.
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
  await attempt("create", () => idp.createUser({ name: "cy@example.com" }));
  await attempt("read ana", () => idp.userByName("ana@example.com"));
  await attempt("read bo", () => idp.userByName("bo@example.com"));
  const { users, totalCount } = await idp.users();
  console.log(users.map(({ name }) => name), totalCount);
  await attempt("delete", () => idp.deleteUser(users[0].id));
};

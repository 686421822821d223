// A name is no id, and an object with an id is none either.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const user = await idp.createUser({ name: "ana@example.com" });
  for (const value of [undefined, null, 42, true, [], [user.id], {}, user, () => user.id, Symbol("id"), 1n]) {
    await idp.deleteUser(value).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  for (const value of ["ghost", "", "ana@example.com"]) {
    await idp.deleteUser(value).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  const { totalCount } = await idp.users();
  return { totalCount };
};

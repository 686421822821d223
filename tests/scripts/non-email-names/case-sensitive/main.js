export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const name of ["ana", "Ana", "ANA"]) {
    await idp.createUser({ name });
  }
  await idp.createUser({ name: "Ana" }).catch((error) => console.log(error.message));
  await idp.userByName("aNA").catch((error) => console.log(error.message));
  const { users } = await idp.users({ query: { names: ["Ana", "ana", "anA"] } });
  const { id, name } = await idp.userByName("ANA");
  const renamed = await idp.updateUser({ id, name: "aNa" });
  return { found: users.map((user) => user.name), name, renamed: renamed.name };
};

// Resolves to true, and never to false: the second time there is nobody to delete.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const ana = await idp.createUser({ name: "ana@example.com" });
  const bo = await idp.createUser({ name: "bo@example.com" });
  const first = await idp.deleteUser(ana.id);
  const second = await idp.deleteUser(ana.id).catch((error) => error.message.replace(ana.id, "<ana>"));
  const { users, totalCount } = await idp.users();
  return { first, second, left: users.map((user) => user.name), totalCount, bo: users[0].id === bo.id };
};

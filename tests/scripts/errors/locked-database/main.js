// Somebody else is writing to the database and does not end: reads go on, a write is given up, and nothing of it is done.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name } = await idp.userByName("ana@example.com");
  console.log(name, (await idp.users()).totalCount);
  await idp.deleteUser(id).catch(({ code, message }) => console.log(code, message));
};

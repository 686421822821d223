// Names are unique whatever the case of an e-mail address, and free again after a deletion.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  for (const name of ["ana@example.com", "Ana@Example.COM", "ANA@EXAMPLE.COM"]) {
    await idp.createUser({ name }).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  await idp.deleteUser(id);
  const again = await idp.createUser({ name: "Ana@Example.com" });
  const { totalCount } = await idp.users();
  return { name: again.name, sameId: again.id === id, totalCount };
};

const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  const { id } = await idp.createUser({ name: "ana@example.com" });
  await Promise.all([
    idp.user(id),
    idp.userByName("ana@example.com"),
    idp.userByName("ghost@example.com"),
  ]);
};

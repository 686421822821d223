export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const created = await idp.createUser({ name: "ana@example.com", disabled: true });
  await idp.createUser({ name: "bo@example.com" });
  const byId = await idp.user(created.id);
  const byName = await idp.userByName("ana@example.com");
  const same = [byId, byName].every((user) => JSON.stringify(user) === JSON.stringify(created));
  return { same, byName };
};

// Users, pages and errors' messages are JSON as they are.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  await idp.createUser({ name: "ana@example.com" });
  return await idp.users();
};

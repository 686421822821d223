// A refused creation leaves no user behind, and its name free.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const refused = await idp.createUser({ name: "ana@example.com", password: "short" }).catch((error) => error);
  console.log(refused.code);
  await idp.userByName("ana@example.com").catch((error) => console.log(error.code));
  const { name } = await idp.createUser({ name: "ana@example.com" });
  return name;
};

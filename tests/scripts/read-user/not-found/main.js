// What was never there, what was deleted, what is no id or name at all.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  await idp.createUser({ name: "bo@example.com" });
  await idp.deleteUser(id);

  const failed = (error) => console.log(`${error.code} ${error.message.replace(id, "<deleted>")}`);
  for (const userId of [id, "ghost", "", "bo@example.com", "00000000-0000-7000-8000-000000000000", "%", "' OR 1=1 --"]) {
    await idp.user(userId).catch(failed);
  }
  for (const name of ["ana@example.com", "Ghost@Example.com", "", id, "%", 'quo"te', "line\nbreak", "naïve\u0007"]) {
    await idp.userByName(name).catch(failed);
  }
};

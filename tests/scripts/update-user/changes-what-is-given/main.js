// Fields that are left out stay as they are; the id and the time of creation always do.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, createdAt } = await idp.createUser({ name: "ana@example.com" });
  const show = (step, user) =>
    console.log(`${step}: ${user.name}, ${user.disabled}, ${user.id === id && user.createdAt === createdAt}`);

  show("renamed", await idp.updateUser({ id, name: "Ana.Maria@Example.com" }));
  show("disabled", await idp.updateUser({ id, disabled: true }));
  show("renamed while disabled", await idp.updateUser({ id, name: "ana@example.com" }));
  show("enabled", await idp.updateUser({ id, disabled: false }));
  show("new password", await idp.updateUser({ id, password: "correct horse" }));
  show("cleared password", await idp.updateUser({ id, clearPassword: true }));
  show("everything", await idp.updateUser({ id, name: "a@example.com", password: "battery staple", disabled: true }));
  show("read again", await idp.user(id));
  await idp.userByName("ana@example.com").catch((error) => console.log(error.message));
};

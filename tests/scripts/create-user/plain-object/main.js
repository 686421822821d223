// Users and pages are plain objects, as if written in the script: fresh, extensible, with the usual prototype.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const user = await idp.createUser({ name: "ana@example.com" });
  const page = await idp.users();
  const again = await idp.user(user.id);
  user.name = "changed@example.com";
  user.role = "admin";
  const values = { user, again, page, users: page.users, first: page.users[0], mfaFactorIds: user.mfaFactorIds };
  for (const [key, value] of Object.entries(values)) {
    const plain = Array.isArray(value) ? Array.prototype : Object.prototype;
    console.log(key, Object.getPrototypeOf(value) === plain, Object.isExtensible(value));
  }
  return { user: user.name, again: again.name };
};

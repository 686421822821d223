const fail = () => {
  throw new Error("patched function");
};
Function.prototype.call = Function.prototype.apply = Function.prototype.bind = Function.prototype.toString = fail;
for (const name of Object.getOwnPropertyNames(Reflect)) {
  Reflect[name] = fail;
}

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name } = await idp.createUser({ name: "ana@example.com" });
  const { totalCount } = await idp.users({ query: { ids: [id] } });
  try {
    await idp.deleteUser("ghost");
  } catch (error) {
    return { name, totalCount, code: error.code };
  }
};

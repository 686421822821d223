const fail = () => {
  throw new Error("patched iteration");
};
const iterator = Object.getPrototypeOf([].values());
Array.prototype[Symbol.iterator] = fail;
iterator.next = fail;
Object.getPrototypeOf(iterator)[Symbol.iterator] = fail;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name } = await idp.createUser({ name: "ana@example.com" });
  const { users, totalCount } = await idp.users({ query: { ids: [id], names: [name, "bo@example.com"] } });
  return { name: users[0].name, totalCount };
};

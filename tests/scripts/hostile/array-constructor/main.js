const fail = () => {
  throw new Error("patched constructor");
};
Object.defineProperty(Array.prototype, "constructor", { get: fail, set: fail });
Object.defineProperty(Array, Symbol.species, { get: fail });
Object.defineProperty(Array.prototype, Symbol.isConcatSpreadable, { get: fail });
Array.from = Array.of = Array.isArray = fail;
globalThis.Array = fail;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name } = await idp.createUser({ name: "ana@example.com" });
  const { users } = await idp.users({ query: { ids: [id], names: [name] } });
  return users[0].name;
};

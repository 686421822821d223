// Every method of arrays is broken before the client is used.
const { getOwnPropertyNames } = Object;
for (const name of getOwnPropertyNames(Array.prototype)) {
  if (typeof Array.prototype[name] === "function" && name !== "constructor") {
    Array.prototype[name] = () => {
      throw new Error(`patched ${name}`);
    };
  }
}

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name } = await idp.createUser({ name: "ana@example.com" });
  const { totalCount } = await idp.users({ query: { ids: [id], names: [name] } });
  try {
    await idp.user("ghost");
  } catch (error) {
    return { name, totalCount, code: error.code, message: error.message };
  }
};

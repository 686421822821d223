const { getOwnPropertyNames } = Object;
for (const name of getOwnPropertyNames(Object)) {
  if (typeof Object[name] === "function") {
    Object[name] = () => {
      throw new Error(`patched ${name}`);
    };
  }
}
globalThis.Object = undefined;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: "ana@example.com" });
  try {
    await idp.user("ghost");
  } catch (error) {
    return { name, code: error.code };
  }
};

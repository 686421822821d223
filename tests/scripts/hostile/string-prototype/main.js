const fail = () => {
  throw new Error("patched string");
};
for (const key of Object.getOwnPropertyNames(String.prototype)) {
  if (key !== "length" && key !== "constructor") {
    String.prototype[key] = fail;
  }
}
String.prototype[Symbol.iterator] = fail;
RegExp.prototype.exec = RegExp.prototype.test = RegExp.prototype[Symbol.replace] = fail;
globalThis.String = fail;

export default async () => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const { id, name } = await idp.createUser({ name: "Ana@Example.com" });
  const { totalCount } = await idp.users({ query: { ids: [id], names: ["ANA@example.com"] } });
  try {
    await idp.createUser({ name });
  } catch (error) {
    return { name, totalCount, code: error.code, stack: typeof error.stack };
  }
};

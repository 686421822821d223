const fail = () => {
  throw new Error("patched symbol");
};
Symbol.prototype.toString = Symbol.prototype.valueOf = fail;
Object.defineProperty(Symbol.prototype, "description", { get: fail });
Object.defineProperty(Symbol.prototype, Symbol.toPrimitive, { value: fail });
globalThis.Symbol = undefined;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: "ana@example.com" });
  try {
    await idp.user(name);
  } catch (error) {
    return { name, code: error.code };
  }
};

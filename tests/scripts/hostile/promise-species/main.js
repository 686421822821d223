const fail = () => {
  throw new Error("patched species");
};
Object.defineProperty(Promise, Symbol.species, { get: fail });
Promise.resolve = Promise.reject = Promise.all = Promise.withResolvers = fail;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: "ana@example.com" });
  try {
    await idp.createUser({ name });
  } catch (error) {
    return { name, code: error.code };
  }
};

const fail = () => {
  throw new Error("patched promise");
};
Promise.prototype.then = Promise.prototype.catch = Promise.prototype.finally = fail;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: "ana@example.com" });
  try {
    await idp.createUser({ name });
  } catch (error) {
    return { name, code: error.code };
  }
};

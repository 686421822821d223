// The result of a handler does not go through the script's JSON.
const fail = () => {
  throw new Error("patched JSON");
};
JSON.stringify = JSON.parse = fail;
globalThis.JSON = { stringify: fail, parse: fail };

export default async (args) => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: args.name });
  return { name, boxed: new Boolean(true) };
};

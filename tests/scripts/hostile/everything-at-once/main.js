// All of it together, and the whole round of calls.
const { defineProperty, getOwnPropertyNames } = Object;
const NativeError = Error;
const fail = () => {
  throw "patched";
};
for (const target of [
  Array.prototype,
  String.prototype,
  Function.prototype,
  Promise,
  Promise.prototype,
  JSON,
  Reflect,
  Map.prototype,
  Set.prototype,
  WeakMap.prototype,
  Symbol.prototype,
  RegExp.prototype,
  NativeError,
  Object,
]) {
  for (const key of getOwnPropertyNames(target)) {
    if (!["length", "prototype", "constructor", "caller", "arguments"].includes?.(key)) {
      try {
        defineProperty(target, key, { value: fail });
      } catch {
        // Not configurable.
      }
    }
    if (key === "includes") {
      defineProperty(target, key, { value: undefined });
    }
  }
}
for (const name of ["Error", "TypeError", "Promise", "Array", "Object", "JSON", "Symbol", "Map"]) {
  defineProperty(globalThis, name, { value: fail });
}

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  await idp.updateUser({ id, disabled: true });
  const { totalCount } = await idp.users({ query: { ids: [id] } });
  const { name, disabled } = await idp.userByName("Ana@example.com");
  const deleted = await idp.deleteUser(id);
  try {
    await idp.user(id);
  } catch (error) {
    return { name, disabled, totalCount, deleted, code: error.code, isError: error instanceof NativeError };
  }
};

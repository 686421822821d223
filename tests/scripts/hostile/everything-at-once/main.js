// All of it together, and the whole round of calls.
const { defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames } = Object;
const NativeError = Error;
const fail = () => {
  throw "patched";
};

const methods = [];
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
  Error,
  Object,
  Object.getPrototypeOf([].values()),
]) {
  for (const key of [...getOwnPropertyNames(target), Symbol.iterator, Symbol.species, Symbol.toPrimitive]) {
    const descriptor = getOwnPropertyDescriptor(target, key);
    if (descriptor?.configurable && key !== "constructor" && typeof descriptor.value !== "number") {
      methods.push({ target, key, descriptor: descriptor.get ? { get: fail } : { value: fail } });
    }
  }
}
const { length } = methods;
for (let index = 0; index < length; index++) {
  const { target, key, descriptor } = methods[index];
  defineProperty(target, key, descriptor);
}
defineProperty(Object.prototype, "code", { get: fail, set: fail });
globalThis.Error = globalThis.TypeError = globalThis.Promise = globalThis.Array = globalThis.Object = fail;

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
    const isError = error instanceof NativeError;
    return { methods: length > 100, name, disabled, totalCount, deleted, code: error.code, isError };
  }
};

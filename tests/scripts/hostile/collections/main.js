const fail = () => {
  throw new Error("patched collection");
};
for (const collection of [Map, Set, WeakMap, WeakSet, WeakRef, FinalizationRegistry, ArrayBuffer, Uint8Array]) {
  for (const name of Object.getOwnPropertyNames(collection.prototype)) {
    if (Object.getOwnPropertyDescriptor(collection.prototype, name).configurable) {
      Object.defineProperty(collection.prototype, name, { value: fail });
    }
  }
}
globalThis.Map = globalThis.Set = globalThis.WeakMap = fail;
globalThis.queueMicrotask = globalThis.setTimeout = fail;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name } = await idp.createUser({ name: "ana@example.com" });
  const { totalCount } = await idp.users({ query: { ids: [id] } });
  return { name, totalCount };
};

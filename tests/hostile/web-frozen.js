// Attacks: What scripts of the web APIs define cannot be defined any more.
// Ends: result ["https://a.example/","function","function",3]
export default async () => {
  for (const key of Reflect.ownKeys(globalThis)) {
    if (typeof key === "string" && !(key in { URL: 0, fetch: 0, TextEncoder: 0, Blob: 0 }) && globalThis[key]?.prototype) Object.freeze(globalThis[key].prototype);
  }
  Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(Function.prototype);
  Object.freeze(globalThis);
  return [new URL("https://a.example").href, typeof fetch, typeof Response, new TextEncoder().encode("abc").length];
};

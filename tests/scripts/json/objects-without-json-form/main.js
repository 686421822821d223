// What JSON.stringify shows nothing of, is empty here too.
export default () => ({
  map: new Map([["a", 1]]),
  set: new Set([1]),
  pattern: /a/g,
  error: new Error("an error"),
  weak: new WeakMap(),
  buffer: new ArrayBuffer(2),
  bytes: new Uint8Array([1, 2]),
  client: new tailor.idp.Client("builtin-idp"),
  noPrototype: { __proto__: null, a: 1 },
  inherited: Object.create({ dropped: 1 }, { hidden: { value: 2 }, shown: { value: 3, enumerable: true } }),
  array: Object.assign([1], { dropped: 2 }),
});

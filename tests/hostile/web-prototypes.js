// Attacks: Prototypes that see what scripts of the web APIs assign and look up while they are loaded.
// Ends: result []
const { apply, defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
const seen = [];
let count = 0;
let watches = false;
const note = (what) => {
  if (watches) defineProperty(seen, count++, { __proto__: null, value: what, enumerable: true });
};
const trap = (holder, key) => {
  const accessor = { __proto__: null, configurable: true, get() { note(`get ${String(key)}`); }, set(value) { note(`set ${String(key)} ${typeof value}`); } };
  if (!getOwnPropertyDescriptor(holder, key)) defineProperty(holder, key, accessor);
};
const names = [
  "get", "set", "value", "writable", "then", "core", "ops", "internals", "primordials", "loadExtScript", "webidl", "converters", "converter",
  "required", "key", "defaultValue", "nullable", "any", "boolean", "DOMString", "USVString", "ByteString", "BufferSource", "URL", "Blob",
  "Headers", "RequestInit", "AbortSignal", "ReadableStream", "MessagePort", "__telemetry", "__telemetryUtil", "kKeyObject", "send", "receive",
  "name", "method", "give", "load", "0", "1", "2", "3",
];
export default () => {
  const touched = ownKeys(globalThis);
  for (const holder of [Object.prototype, Array.prototype, Function.prototype]) {
    for (const name of names) trap(holder, name);
  }
  // An empty object has none of its own between itself and Object.prototype.
  const watcher = (of) => new Proxy(of, {
    __proto__: null,
    get: (target, key, receiver) => (note(`get ${String(key)}`), Reflect.get(target, key, receiver)),
    set: (target, key, value, receiver) => (note(`set ${String(key)}`), Reflect.set(target, key, value, receiver)),
    has: (target, key) => (note(`has ${String(key)}`), key in target),
  });
  Object.setPrototypeOf(Array.prototype, watcher(Object.prototype));
  Object.setPrototypeOf(Function.prototype, watcher(Object.prototype));
  const { next } = [][Symbol.iterator]().__proto__;
  const iterate = Array.prototype[Symbol.iterator];
  [][Symbol.iterator]().__proto__.next = function () { note("next"); return apply(next, this, []); };
  Array.prototype[Symbol.iterator] = function () { note("iterate"); return apply(iterate, this, []); };

  watches = true;
  for (let index = 0; index < touched.length; index += 1) globalThis[touched[index]];
  watches = false;
  // They are back where they were.
  if (getOwnPropertyDescriptor(Object.prototype, "core") === undefined) note("Object.prototype.core is gone");
  return seen;
};

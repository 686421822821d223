// Touches all of the global scope while every name that its scripts have in them is trapped, and tells what the traps have seen.
const { apply, defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
const seen = new Set();
const add = Set.prototype.add;
let watches = false;
const note = (text) => {
  if (watches) apply(add, seen, [text]);
};

const trap = (holder, label, key) => {
  const found = getOwnPropertyDescriptor(holder, key);
  const own = found && { __proto__: null, ...found };
  // The engine's own accessors are left alone.
  if (own && (!own.configurable || own.value === undefined)) return;
  const native = own?.value;
  defineProperty(holder, key, {
    __proto__: null,
    configurable: true,
    get() {
      note(`${label}.${String(key)} is read`);
      return native;
    },
    set(value) {
      note(`${label}.${String(key)} is set`);
      defineProperty(this, key, { __proto__: null, value, configurable: true, enumerable: true, writable: true });
    },
  });
};

export default (names) => {
  const touched = ownKeys(globalThis);
  const symbols = ownKeys(Symbol).map((key) => Symbol[key]).filter((value) => typeof value === "symbol");
  const keys = [...names, ...symbols, ...Array.from({ length: 64 }, (_, index) => index)];
  const all = keys.filter((key) => key !== "__proto__");
  const holders = [
    [Array.prototype, "Array.prototype"],
    [Function.prototype, "Function.prototype"],
    [Object.prototype, "Object.prototype"],
  ];
  for (let holder = 0; holder < holders.length; holder += 1) {
    // By index: there are traps in the way of iteration.
    for (let key = 0; key < all.length; key += 1) trap(holders[holder][0], holders[holder][1], all[key]);
  }
  watches = true;
  for (let index = 0; index < touched.length; index += 1) {
    try {
      globalThis[touched[index]];
    } catch (error) {
      note(`${String(touched[index])} cannot be had: ${error}`);
    }
  }
  watches = false;
  const lines = [];
  apply(Set.prototype.forEach, seen, [(line) => defineProperty(lines, lines.length, { __proto__: null, value: line, enumerable: true })]);
  return lines;
};

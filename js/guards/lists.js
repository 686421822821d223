// Lists: arrays, what claims to be one, and lists of arguments.

import { core, primordials } from "ext:core/mod.js";
import {
  bounded,
  checkArray,
  guard,
  guardAll,
  isPlainArray,
  longestArray,
  note,
  saveBuiltIn,
  toLength,
} from "ext:tailor_function/guards/lengths.js";

const {
  ArrayIsArray,
  MathTrunc,
  ObjectDefineProperties,
  ReflectApply,
  ReflectConstruct,
  ReflectGet,
  SymbolIsConcatSpreadable,
  SymbolIterator,
} = primordials;
const { Array, Function, Object, Proxy: NativeProxy, RangeError, Reflect, String } = globalThis;

// A proxy of the native one: a constructor without a prototype cannot be written as a function.
const proxies = new NativeProxy(NativeProxy, {
  __proto__: null,
  construct: (native, args, newTarget) =>
    note(args[0], ReflectConstruct(native, args, newTarget === proxies ? native : newTarget)),
});
saveBuiltIn(globalThis, "Proxy");
ObjectDefineProperties(globalThis, { Proxy: core.propNonEnumerable(proxies) });
guard(NativeProxy, "revocable", (native) => ({
  revocable(...args) {
    const result = ReflectApply(native, this, args);
    note(args[0], result.proxy);
    return result;
  },
}.revocable));

// Methods that go through an array from one end to the other.
const through = (native, self, args) => {
  if (isPlainArray(self) && self.length <= longestArray) {
    return ReflectApply(native, self, args);
  }
  const list = bounded(self);
  const result = ReflectApply(native, list, args);
  return result === list ? self : result;
};
guardAll(
  Array.prototype,
  [
    "copyWithin",
    "every",
    "fill",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "forEach",
    "join",
    "map",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
    "some",
    "splice",
    "toLocaleString",
    "toReversed",
    "toSpliced",
    "unshift",
    "with",
  ],
  (native) => ({
    method(...args) {
      return through(native, this, args);
    },
  }.method),
);

const isSpreadable = (value) => {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    return false;
  }
  const spreadable = value[SymbolIsConcatSpreadable];
  return spreadable === undefined ? ArrayIsArray(value) : !!spreadable;
};

guard(Array.prototype, "concat", (native) => ({
  concat(...args) {
    let length = 0;
    const part = (value) => {
      if (!isSpreadable(value)) {
        return value;
      }
      const list = bounded(value);
      length += toLength(list.length);
      checkArray(length);
      return list;
    };
    const list = part(this);
    for (let index = 0; index < args.length; index++) {
      args[index] = part(args[index]);
    }
    return ReflectApply(native, list, args);
  },
}.concat));

// Arrays in arrays: how many elements there will be is only known when they are there.
const append = (into, list, depth) => {
  const { length } = list;
  for (let index = 0; index < length; index++) {
    if (!(index in list)) {
      continue;
    }
    const value = list[index];
    if (depth > 0 && ArrayIsArray(value)) {
      append(into, bounded(value), depth - 1);
    } else {
      checkArray(into.length + 1);
      into[into.length] = value;
    }
  }
};

guard(Array.prototype, "flat", (native) => ({
  flat(...args) {
    const depth = args[0] === undefined ? 1 : MathTrunc(+args[0]);
    const list = bounded(this);
    if (list === null || list === undefined || !(depth > 0)) {
      return ReflectApply(native, list, args);
    }
    const into = [];
    append(into, list, depth);
    // The array's own kind is made by the engine, of what has been put together.
    return isPlainArray(this) && this.constructor === Array ? into : ReflectApply(native, species(this, into), [0]);
  },
}.flat));

guard(Array.prototype, "flatMap", (native) => ({
  flatMap(...args) {
    const callback = args[0];
    if (typeof callback === "function") {
      const self = args[1];
      args[0] = (value, index, list) => {
        const part = ReflectApply(callback, self, [value, index, list]);
        return ArrayIsArray(part) ? bounded(part) : part;
      };
    }
    return ReflectApply(native, bounded(this), args);
  },
}.flatMap));

// `list`, made by the same constructor as `original` would be.
const species = (original, list) => {
  if (ArrayIsArray(original)) {
    ObjectDefineProperties(list, {
      constructor: { __proto__: null, value: original.constructor, configurable: true },
    });
  }
  return list;
};

guard(Array, "from", (native) => ({
  from(...args) {
    const items = args[0];
    if (items !== null && typeof items === "object" && !isPlainArray(items)) {
      const iterate = items[SymbolIterator];
      if (iterate === undefined || iterate === null) {
        args[0] = fixed(items);
      } else if (this === Array && args[1] === undefined) {
        // The engine's short way, on which nothing is taken for an array-like.
        return [...items];
      } else {
        args[0] = { __proto__: null, [SymbolIterator]: () => ReflectApply(iterate, items, []) };
      }
    }
    return ReflectApply(native, this, args);
  },
}.from));

// An array-like that is none but that, whatever it says next.
const fixed = (items) => {
  const length = toLength(items.length);
  checkArray(length);
  return new NativeProxy(items, {
    __proto__: null,
    get: (target, key) => key === "length" ? length : key === SymbolIterator ? undefined : ReflectGet(target, key),
  });
};

// The engine compares texts in one go, each with the one that is wanted: here, one by one.
const LONG_TEXT = 1024;
const sameText = (index, step, end, list, wanted) => {
  for (; index !== end; index += step) {
    if (list[index] === wanted) {
      return index;
    }
  }
  return -1;
};
const searchingText = (forwards, result) => (native) => ({
  method(...args) {
    const wanted = args[0];
    if (typeof wanted !== "string" || wanted.length <= LONG_TEXT || args.length > 1) {
      return through(native, this, args);
    }
    const { length } = this;
    return result(forwards ? sameText(0, 1, length, this, wanted) : sameText(length - 1, -1, -1, this, wanted));
  },
}.method);
guard(Array.prototype, "indexOf", searchingText(true, (index) => index));
guard(Array.prototype, "includes", searchingText(true, (index) => index >= 0));
guard(Array.prototype, "lastIndexOf", searchingText(false, (index) => index));

// What is sorted as text is compared in one go as well.
const compareTexts = (one, other) => {
  const [a, b] = [`${one}`, `${other}`];
  return a < b ? -1 : a > b ? 1 : 0;
};
guardAll(Array.prototype, ["sort", "toSorted"], (native) => ({
  method(...args) {
    if (args[0] === undefined && ArrayIsArray(this)) {
      for (let index = 0; index < this.length; index++) {
        const value = this[index];
        if (typeof value === "string" ? value.length > LONG_TEXT : typeof value === "object" && value !== null) {
          return through(native, this, [compareTexts]);
        }
      }
    }
    return through(native, this, args);
  },
}.method));

// Members of texts and of numbers in rows, which have a key for each.
const MOST_KEYS = 2 ** 20;
const checkKeys = (args) => {
  for (let index = 0; index < args.length; index++) {
    const value = args[index];
    const isText = typeof value === "string" || core.isStringObject(value);
    if ((isText || core.isTypedArray(value)) && value.length > MOST_KEYS) {
      throw new RangeError(`${value.length} keys are too many: at most ${MOST_KEYS}`);
    }
  }
};
const checkedKeys = (native) => ({
  method(...args) {
    checkKeys(args);
    return ReflectApply(native, this, args);
  },
}.method);
guardAll(
  Object,
  ["assign", "entries", "getOwnPropertyDescriptors", "getOwnPropertyNames", "keys", "values"],
  checkedKeys,
);
guardAll(Reflect, ["ownKeys"], checkedKeys);

// Lists of arguments.
guard(Reflect, "apply", (native) => ({
  apply(...args) {
    args[2] = bounded(args[2]);
    return ReflectApply(native, undefined, args);
  },
}.apply));
guard(Reflect, "construct", (native) => ({
  construct(...args) {
    args[1] = bounded(args[1]);
    return ReflectApply(native, undefined, args);
  },
}.construct));
guard(Function.prototype, "apply", (native) => ({
  apply(self, list) {
    return ReflectApply(native, this, [self, bounded(list)]);
  },
}.apply));
guard(String, "raw", (native) => ({
  raw(...args) {
    const raw = args[0]?.raw;
    if (raw !== undefined && raw !== null) {
      args[0] = { __proto__: null, raw: bounded(raw) };
    }
    return ReflectApply(native, this, args);
  },
}.raw));

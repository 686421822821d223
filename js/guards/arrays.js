// Guards for arrays, array-like objects, lists of keys, and lists of arguments.

import { core, primordials } from "ext:core/mod.js";
import {
  checkArrayLength,
  guard,
  guardAll,
  isPlainArray,
  maxArrayLength,
  recordProxy,
  saveBuiltin,
  toLength,
  withFixedLength,
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

// A proxy of the native constructor: a JavaScript function cannot be a constructor without a `prototype` property.
const proxies = new NativeProxy(NativeProxy, {
  __proto__: null,
  construct: (native, args, newTarget) =>
    recordProxy(args[0], ReflectConstruct(native, args, newTarget === proxies ? native : newTarget)),
});
saveBuiltin(globalThis, "Proxy");
ObjectDefineProperties(globalThis, { Proxy: core.propNonEnumerable(proxies) });
guard(NativeProxy, "revocable", (native) => ({
  revocable(...args) {
    const result = ReflectApply(native, this, args);
    recordProxy(args[0], result.proxy);
    return result;
  },
}.revocable));

// Methods that iterate over the whole array.
const callChecked = (native, self, args) => {
  if (isPlainArray(self) && self.length <= maxArrayLength) {
    return ReflectApply(native, self, args);
  }
  const list = withFixedLength(self);
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
      return callChecked(native, this, args);
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
    const checkPart = (value) => {
      if (!isSpreadable(value)) {
        return value;
      }
      const list = withFixedLength(value);
      length += toLength(list.length);
      checkArrayLength(length);
      return list;
    };
    const list = checkPart(this);
    for (let index = 0; index < args.length; index++) {
      args[index] = checkPart(args[index]);
    }
    return ReflectApply(native, list, args);
  },
}.concat));

// Flattens nested arrays. The number of elements is only known at the end, so each one is checked.
const append = (into, list, depth) => {
  const { length } = list;
  for (let index = 0; index < length; index++) {
    if (!(index in list)) {
      continue;
    }
    const value = list[index];
    if (depth > 0 && ArrayIsArray(value)) {
      append(into, withFixedLength(value), depth - 1);
    } else {
      checkArrayLength(into.length + 1);
      into[into.length] = value;
    }
  }
};

guard(Array.prototype, "flat", (native) => ({
  flat(...args) {
    const depth = args[0] === undefined ? 1 : MathTrunc(+args[0]);
    const list = withFixedLength(this);
    if (list === null || list === undefined || !(depth > 0)) {
      return ReflectApply(native, list, args);
    }
    const into = [];
    append(into, list, depth);
    // For a subclass, the native method creates the result from the flattened elements.
    return isPlainArray(this) && this.constructor === Array ? into : ReflectApply(native, withConstructorOf(this, into), [0]);
  },
}.flat));

guard(Array.prototype, "flatMap", (native) => ({
  flatMap(...args) {
    const callback = args[0];
    if (typeof callback === "function") {
      const self = args[1];
      args[0] = (value, index, list) => {
        const part = ReflectApply(callback, self, [value, index, list]);
        return ArrayIsArray(part) ? withFixedLength(part) : part;
      };
    }
    return ReflectApply(native, withFixedLength(this), args);
  },
}.flatMap));

// Gives `list` the constructor of `original`, which determines the class of derived arrays.
const withConstructorOf = (original, list) => {
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
        args[0] = asArrayLike(items);
      } else if (this === Array && args[1] === undefined) {
        // V8's fast path, which never treats the value as array-like.
        return [...items];
      } else {
        args[0] = { __proto__: null, [SymbolIterator]: () => ReflectApply(iterate, items, []) };
      }
    }
    return ReflectApply(native, this, args);
  },
}.from));

// An array-like with a fixed length that is not iterable, whatever its properties return later.
const asArrayLike = (items) => {
  const length = toLength(items.length);
  checkArrayLength(length);
  return new NativeProxy(items, {
    __proto__: null,
    get: (target, key) => key === "length" ? length : key === SymbolIterator ? undefined : ReflectGet(target, key),
  });
};

// The native methods compare all strings without a termination check, which takes long if the wanted string is long. Compare them in
// JavaScript instead.
const LONG_STRING = 1024;
const findString = (index, step, end, list, wanted) => {
  for (; index !== end; index += step) {
    if (list[index] === wanted) {
      return index;
    }
  }
  return -1;
};
const searchStrings = (forwards, result) => (native) => ({
  method(...args) {
    const wanted = args[0];
    if (typeof wanted !== "string" || wanted.length <= LONG_STRING || args.length > 1) {
      return callChecked(native, this, args);
    }
    const { length } = this;
    return result(forwards ? findString(0, 1, length, this, wanted) : findString(length - 1, -1, -1, this, wanted));
  },
}.method);
guard(Array.prototype, "indexOf", searchStrings(true, (index) => index));
guard(Array.prototype, "includes", searchStrings(true, (index) => index >= 0));
guard(Array.prototype, "lastIndexOf", searchStrings(false, (index) => index));

// The default comparison of sort has the same problem.
const compareStrings = (one, other) => {
  const [a, b] = [`${one}`, `${other}`];
  return a < b ? -1 : a > b ? 1 : 0;
};
guardAll(Array.prototype, ["sort", "toSorted"], (native) => ({
  method(...args) {
    if (args[0] === undefined && ArrayIsArray(this)) {
      for (let index = 0; index < this.length; index++) {
        const value = this[index];
        if (typeof value === "string" ? value.length > LONG_STRING : typeof value === "object" && value !== null) {
          return callChecked(native, this, [compareStrings]);
        }
      }
    }
    return callChecked(native, this, args);
  },
}.method));

// Strings and typed arrays have a key for each element.
const MAX_KEYS = 2 ** 20;
const checkKeys = (args) => {
  for (let index = 0; index < args.length; index++) {
    const value = args[index];
    const isText = typeof value === "string" || core.isStringObject(value);
    if ((isText || core.isTypedArray(value)) && value.length > MAX_KEYS) {
      throw new RangeError(`${value.length} keys are too many: at most ${MAX_KEYS}`);
    }
  }
};
const withKeyCheck = (native) => ({
  method(...args) {
    checkKeys(args);
    return ReflectApply(native, this, args);
  },
}.method);
guardAll(
  Object,
  ["assign", "entries", "getOwnPropertyDescriptors", "getOwnPropertyNames", "keys", "values"],
  withKeyCheck,
);
guardAll(Reflect, ["ownKeys"], withKeyCheck);

// Lists of arguments.
guard(Reflect, "apply", (native) => ({
  apply(...args) {
    args[2] = withFixedLength(args[2]);
    return ReflectApply(native, undefined, args);
  },
}.apply));
guard(Reflect, "construct", (native) => ({
  construct(...args) {
    args[1] = withFixedLength(args[1]);
    return ReflectApply(native, undefined, args);
  },
}.construct));
guard(Function.prototype, "apply", (native) => ({
  apply(self, list) {
    return ReflectApply(native, this, [self, withFixedLength(list)]);
  },
}.apply));
guard(String, "raw", (native) => ({
  raw(...args) {
    const raw = args[0]?.raw;
    if (raw !== undefined && raw !== null) {
      args[0] = { __proto__: null, raw: withFixedLength(raw) };
    }
    return ReflectApply(native, this, args);
  },
}.raw));

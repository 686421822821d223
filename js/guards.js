// Bounds for what the engine does natively, in one go, without a look at whether the script is to end: loops over lengths
// that a script only claims, such as `[].indexOf.call({ length: 2 ** 53 - 1 }, 1)`, and results so large that the engine
// ends the process for want of room. What an isolate's memory cannot hold anyway is refused with a RangeError.
//
// A length is read once: whoever answers differently the second time is given to the engine with the first answer.

import { core, primordials } from "ext:core/mod.js";

const {
  ArrayIsArray,
  MathMax,
  MathMin,
  MathTrunc,
  ObjectDefineProperties,
  ReflectApply,
  ReflectConstruct,
  ReflectGet,
  ReflectGetOwnPropertyDescriptor,
  SafeArrayIterator,
  SafeWeakSet,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  SymbolIsConcatSpreadable,
  SymbolIterator,
  WeakSetPrototypeAdd,
  WeakSetPrototypeHas,
} = primordials;
const { Array, ArrayBuffer, Date, Function, JSON, Number, Object, Proxy: NativeProxy, RangeError, Reflect, String, Symbol } = globalThis;

// Elements of an array, and characters of a text: what fits the memory of an isolate with the default limits.
let longestArray = 2 ** 22;
let longestText = 2 ** 25;

// The engine ends the process where it would split a text into more parts than this.
const MOST_PARTS = 2 ** 26;

// What a shared buffer grows by is counted nowhere: it keeps the length that it is made with. The engine has no such buffers
// while the snapshot is made.
const fixSharedBuffers = () => {
  const { SharedArrayBuffer } = globalThis;
  if (SharedArrayBuffer === undefined) {
    return;
  }
  const guarded = new NativeProxy(SharedArrayBuffer, {
    __proto__: null,
    construct: (native, args, newTarget) => {
      const options = args[1];
      if (options !== null && typeof options === "object" && options.maxByteLength !== undefined) {
        throw new RangeError("a SharedArrayBuffer that can grow is not to be had");
      }
      return ReflectConstruct(native, [args[0]], newTarget);
    },
  });
  ObjectDefineProperties(SharedArrayBuffer.prototype, { constructor: core.propNonEnumerable(guarded) });
  ObjectDefineProperties(globalThis, { SharedArrayBuffer: core.propNonEnumerable(guarded) });
};

// Called, and taken away, by the host as it makes an isolate: before there is a script.
const limitLengths = (bytes) => {
  fixSharedBuffers();
  longestArray = MathMax(2 ** 16, MathTrunc(bytes / 8));
  longestText = MathMin(MathMax(2 ** 19, bytes), MOST_PARTS);
};
ObjectDefineProperties(globalThis, { limitLengths: core.propNonEnumerable(limitLengths) });

const checkArray = (length) => {
  if (length > longestArray) {
    throw new RangeError(`an array of ${length} elements is too long: at most ${longestArray}`);
  }
};

const checkText = (length) => {
  if (length > longestText) {
    throw new RangeError(`a text of ${length} characters is too long: at most ${longestText}`);
  }
};

const toLength = (value) => {
  const number = MathTrunc(+value);
  return number > 0 ? MathMin(number, 2 ** 53 - 1) : 0;
};

// Proxies of arrays are arrays by all that one can ask of them, but for this.
const arrayProxies = new SafeWeakSet();
let hasArrayProxies = false;
const note = (target, proxy) => {
  // A proxy that is revoked cannot be asked.
  if (core.isProxy(target) ? WeakSetPrototypeHas(arrayProxies, target) : ArrayIsArray(target)) {
    WeakSetPrototypeAdd(arrayProxies, proxy);
    hasArrayProxies = true;
  }
  return proxy;
};
const isPlainArray = (value) => ArrayIsArray(value) && !(hasArrayProxies && WeakSetPrototypeHas(arrayProxies, value));

// The value, for the engine: with a length that is within bounds and stays as it is.
const bounded = (value) => {
  if (isPlainArray(value)) {
    checkArray(value.length);
    return value;
  }
  if (typeof value === "string") {
    checkArray(value.length);
    return value;
  }
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    return value;
  }
  if (!core.isProxy(value)) {
    const own = ReflectGetOwnPropertyDescriptor(value, "length");
    if (own !== undefined && typeof own.value === "number") {
      checkArray(toLength(own.value));
      return value;
    }
  }
  const length = toLength(value.length);
  checkArray(length);
  return new NativeProxy(value, {
    __proto__: null,
    get: (target, key) => (key === "length" ? length : ReflectGet(target, key)),
  });
};

// Puts in the place of a function one that looks and acts like it.
const guard = (holder, key, make) => {
  const descriptor = ReflectGetOwnPropertyDescriptor(holder, key);
  if (descriptor === undefined) {
    return; // not in this engine
  }
  const native = descriptor.value;
  const { name, length } = native;
  const guarded = make(native);
  ObjectDefineProperties(guarded, {
    name: { __proto__: null, value: name, configurable: true },
    length: { __proto__: null, value: length, configurable: true },
  });
  const { writable, enumerable, configurable } = descriptor;
  ObjectDefineProperties(holder, {
    [key]: { __proto__: null, value: guarded, writable, enumerable, configurable },
  });
};

const guardAll = (holder, keys, make) => {
  for (const key of new SafeArrayIterator(keys)) {
    guard(holder, key, make);
  }
};

// A proxy of the native one: a constructor without a prototype cannot be written as a function.
const proxies = new NativeProxy(NativeProxy, {
  __proto__: null,
  construct: (native, args, newTarget) =>
    note(args[0], ReflectConstruct(native, args, newTarget === proxies ? native : newTarget)),
});
ObjectDefineProperties(globalThis, { Proxy: core.propNonEnumerable(proxies) });
guard(NativeProxy, "revocable", (native) => ({
  revocable(...args) {
    const result = ReflectApply(native, this, args);
    note(args[0], result.proxy);
    return result;
  },
}.revocable));

// Methods that go through an array from one end to the other.
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
    "includes",
    "indexOf",
    "join",
    "lastIndexOf",
    "map",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
    "some",
    "sort",
    "splice",
    "toLocaleString",
    "toReversed",
    "toSorted",
    "toSpliced",
    "unshift",
    "with",
  ],
  (native) => ({
    method(...args) {
      if (isPlainArray(this) && this.length <= longestArray) {
        return ReflectApply(native, this, args);
      }
      const list = bounded(this);
      const result = ReflectApply(native, list, args);
      return result === list ? this : result;
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
      return ReflectApply(native, this, args);
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
          return ReflectApply(native, this, [compareTexts]);
        }
      }
    }
    return ReflectApply(native, this, args);
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

// Texts. The engine puts them together from parts, without a copy; each of these copies, or goes through them.
const checkTexts = (self, args) => {
  if (typeof self === "string") {
    checkText(self.length);
  }
  for (let index = 0; index < args.length; index++) {
    if (typeof args[index] === "string") {
      checkText(args[index].length);
    }
  }
};

const checkedTexts = (native) => ({
  method(...args) {
    const self = asText(this);
    checkTexts(self, args);
    return ReflectApply(native, self, args);
  },
}.method);

// The same, for functions that have no use for `this`.
const checkedArguments = (native) => ({
  method(...args) {
    checkTexts(undefined, args);
    return ReflectApply(native, undefined, args);
  },
}.method);

// What a method of texts would make of its `this`; null and undefined it refuses.
const asText = (self) =>
  typeof self === "string" || self === null || self === undefined || typeof self === "symbol" ? self : `${self}`;

guardAll(
  String.prototype,
  [
    "isWellFormed",
    "localeCompare",
    "match",
    "matchAll",
    "normalize",
    "replace",
    "replaceAll",
    "search",
    "split",
    "toLocaleLowerCase",
    "toLocaleUpperCase",
    "toLowerCase",
    "toUpperCase",
    "toWellFormed",
    "trim",
    "trimEnd",
    "trimStart",
  ],
  checkedTexts,
);
guardAll(
  globalThis,
  ["decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent", "escape", "parseFloat", "parseInt", "unescape"],
  checkedArguments,
);
// One function by two names stays one.
ObjectDefineProperties(Number, {
  parseFloat: core.propNonEnumerable(globalThis.parseFloat),
  parseInt: core.propNonEnumerable(globalThis.parseInt),
});
ObjectDefineProperties(String.prototype, {
  trimLeft: core.propNonEnumerable(String.prototype.trimStart),
  trimRight: core.propNonEnumerable(String.prototype.trimEnd),
});
guard(JSON, "parse", checkedArguments);
guard(Symbol, "for", checkedArguments);
guard(Date, "parse", checkedArguments);

// New texts, by how long they will be.
guard(String.prototype, "repeat", (native) => ({
  repeat(count) {
    const self = asText(this);
    const times = +count;
    if (typeof self === "string" && times > 0 && times < Infinity) {
      checkText(self.length * MathTrunc(times));
    }
    return ReflectApply(native, self, [times]);
  },
}.repeat));
guardAll(String.prototype, ["padStart", "padEnd"], (native) => ({
  method(...args) {
    if (args.length > 0) {
      args[0] = +args[0];
      checkText(args[0]);
    }
    return ReflectApply(native, this, args);
  },
}.method));

// Searches: as many steps as the one text is long, for each of the other's. Beyond this they are done in parts.
const STEPS = 2 ** 26;

const search = (text, wanted, from, forwards) => {
  const last = text.length - wanted.length;
  const stride = MathMax(wanted.length, MathTrunc(STEPS / wanted.length));
  if (forwards) {
    for (let at = from; at <= last; at += stride) {
      const found = StringPrototypeIndexOf(StringPrototypeSlice(text, at, at + stride + wanted.length - 1), wanted);
      if (found >= 0) {
        return at + found;
      }
    }
  } else {
    for (let end = MathMin(from, last) + 1; end > 0; end -= stride) {
      const at = MathMax(0, end - stride);
      const found = StringPrototypeLastIndexOf(StringPrototypeSlice(text, at, end + wanted.length - 1), wanted);
      if (found >= 0) {
        return at + found;
      }
    }
  }
  return -1;
};

const searching = (forwards, result) => (native) => ({
  method(...args) {
    const self = asText(this);
    const wanted = args[0];
    if (typeof self !== "string" || typeof wanted !== "string" || self.length * wanted.length <= STEPS) {
      return ReflectApply(native, self, args);
    }
    checkText(self.length);
    checkText(wanted.length);
    const at = args.length > 1 ? +args[1] : NaN;
    const from = at !== at ? (forwards ? 0 : self.length) : MathMin(MathMax(MathTrunc(at), 0), self.length);
    return result(search(self, wanted, from, forwards));
  },
}.method);
guard(String.prototype, "indexOf", searching(true, (index) => index));
guard(String.prototype, "includes", searching(true, (index) => index >= 0));
guard(String.prototype, "lastIndexOf", searching(false, (index) => index));

// A picture's bytes are taken by the host, which has no way to be refused them. So they are taken here first, and given back.
export const guardImageData = (ImageData) => {
  const guarded = new NativeProxy(ImageData, {
    __proto__: null,
    construct: (native, args, newTarget) => {
      if (args.length > 1 && typeof args[0] !== "object") {
        const sizes = [args[0] >>> 0, args[1] >>> 0];
        args[0] = sizes[0];
        args[1] = sizes[1];
        // Half-precision floats take two bytes for each of the four parts of a pixel.
        new ArrayBuffer(sizes[0] * sizes[1] * 8);
      }
      return ReflectConstruct(native, args, newTarget);
    },
  });
  ObjectDefineProperties(ImageData.prototype, { constructor: core.propNonEnumerable(guarded) });
  return guarded;
};

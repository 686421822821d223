// Bounds for what the engine does natively, in one go, without a look at whether the script is to end: loops over lengths
// that a script only claims, such as `[].indexOf.call({ length: 2 ** 53 - 1 }, 1)`, and results so large that the engine
// ends the process for want of room. What an isolate's memory cannot hold anyway is refused with a RangeError.
//
// A length is read once: whoever answers differently the second time is given to the engine with the first answer.

import { core, primordials } from "ext:core/mod.js";
import { fixSharedBuffers } from "ext:tailor_function/guards/buffers.js";

const {
  ArrayIsArray,
  ArrayPrototypePush,
  MathMax,
  MathMin,
  MathTrunc,
  ObjectDefineProperties,
  ReflectDefineProperty,
  ReflectGet,
  ReflectGetOwnPropertyDescriptor,
  SafeArrayIterator,
  SafeWeakSet,
  WeakSetPrototypeAdd,
  WeakSetPrototypeHas,
} = primordials;
const { Proxy: NativeProxy, RangeError } = globalThis;

// Elements of an array, and characters of a text: what fits the memory of an isolate with the default limits.
export let longestArray = 2 ** 22;
let longestText = 2 ** 25;

// The engine ends the process where it would split a text into more parts than this.
const MOST_PARTS = 2 ** 26;

// Called, and taken away, by the host as it makes an isolate: before there is a script.
const limitLengths = (bytes) => {
  fixSharedBuffers();
  longestArray = MathMax(2 ** 16, MathTrunc(bytes / 8));
  longestText = MathMin(MathMax(2 ** 19, bytes), MOST_PARTS);
};
ObjectDefineProperties(globalThis, { limitLengths: core.propNonEnumerable(limitLengths) });

// The engine's own built-ins, in the order in which they were replaced.
const replaced = [];

/** Saves a property of a built-in that is about to be replaced, for `restoreBuiltIns`. */
export const saveBuiltIn = (holder, key) => {
  const descriptor = ReflectGetOwnPropertyDescriptor(holder, key);
  if (descriptor !== undefined) {
    ArrayPrototypePush(replaced, { __proto__: null, holder, key, descriptor });
  }
};

// The host calls this in place of `limitLengths` to create an isolate without guards, and deletes it before any script runs.
const restoreBuiltIns = () => {
  for (let index = 0; index < replaced.length; index++) {
    const { holder, key, descriptor } = replaced[index];
    ReflectDefineProperty(holder, key, descriptor);
  }
};
ObjectDefineProperties(globalThis, { restoreBuiltIns: core.propNonEnumerable(restoreBuiltIns) });

export const checkArray = (length) => {
  if (length > longestArray) {
    throw new RangeError(`an array of ${length} elements is too long: at most ${longestArray}`);
  }
};

export const checkText = (length) => {
  if (length > longestText) {
    throw new RangeError(`a text of ${length} characters is too long: at most ${longestText}`);
  }
};

export const toLength = (value) => {
  const number = MathTrunc(+value);
  return number > 0 ? MathMin(number, 2 ** 53 - 1) : 0;
};

// Proxies of arrays are arrays by all that one can ask of them, but for this.
const arrayProxies = new SafeWeakSet();
let hasArrayProxies = false;
export const note = (target, proxy) => {
  // A proxy that is revoked cannot be asked.
  if (core.isProxy(target) ? WeakSetPrototypeHas(arrayProxies, target) : ArrayIsArray(target)) {
    WeakSetPrototypeAdd(arrayProxies, proxy);
    hasArrayProxies = true;
  }
  return proxy;
};
export const isPlainArray = (value) => ArrayIsArray(value) && !(hasArrayProxies && WeakSetPrototypeHas(arrayProxies, value));

// The value, for the engine: with a length that is within bounds and stays as it is.
export const bounded = (value) => {
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

/** Guards a built-in of ECMAScript. `restoreBuiltIns` removes the guard. */
export const guard = (holder, key, make) => {
  saveBuiltIn(holder, key);
  replaceFunction(holder, key, make);
};

/** Replaces a function by one with the same name, length and attributes. */
export const replaceFunction = (holder, key, make) => {
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

export const guardAll = (holder, keys, make) => {
  for (const key of new SafeArrayIterator(keys)) {
    guard(holder, key, make);
  }
};

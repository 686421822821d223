// Guards for builtins that run natively without checking for termination: loops over a length that an object only claims to have, such as
// `[].indexOf.call({ length: 2 ** 53 - 1 }, 1)`, and results so large that V8 aborts the process. Lengths that cannot fit into the
// memory of the isolate throw a RangeError.
//
// A length is read once. If it could change between two reads, the builtin gets a proxy that always returns the first value.

import { core, primordials } from "ext:core/mod.js";
import { fixSharedBuffers } from "ext:tailor_function/guards/buffers.js";
import { replaceStreaming } from "ext:tailor_function/web_assembly.js";

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

// Maximum elements of an array, and UTF-16 units of a string. The initial values fit the default memory limit.
export let maxArrayLength = 2 ** 22;
let maxStringLength = 2 ** 25;

// V8 aborts the process if a string is split into more parts.
const MAX_PARTS = 2 ** 26;

// Called and removed by the host when it creates an isolate, before it loads a script.
const limitLengths = (bytes) => {
  fixSharedBuffers();
  replaceStreaming();
  maxArrayLength = MathMax(2 ** 16, MathTrunc(bytes / 8));
  maxStringLength = MathMin(MathMax(2 ** 19, bytes), MAX_PARTS);
};
ObjectDefineProperties(globalThis, { limitLengths: core.propNonEnumerable(limitLengths) });

// The engine's own builtins, in the order in which they were replaced.
const replaced = [];

// Saves a property of a builtin that is about to be replaced, for `restoreBuiltins`.
export const saveBuiltin = (holder, key) => {
  const descriptor = ReflectGetOwnPropertyDescriptor(holder, key);
  if (descriptor !== undefined) {
    ArrayPrototypePush(replaced, { __proto__: null, holder, key, descriptor });
  }
};

// Called by the host instead of `limitLengths` to create an isolate without guards, and removed with it.
const restoreBuiltins = () => {
  replaceStreaming();
  for (let index = 0; index < replaced.length; index++) {
    const { holder, key, descriptor } = replaced[index];
    ReflectDefineProperty(holder, key, descriptor);
  }
};
ObjectDefineProperties(globalThis, { restoreBuiltins: core.propNonEnumerable(restoreBuiltins) });

export const checkArrayLength = (length) => {
  if (length > maxArrayLength) {
    throw new RangeError(`an array of ${length} elements is too long: at most ${maxArrayLength}`);
  }
};

export const checkStringLength = (length) => {
  if (length > maxStringLength) {
    throw new RangeError(`a text of ${length} characters is too long: at most ${maxStringLength}`);
  }
};

export const toLength = (value) => {
  const number = MathTrunc(+value);
  return number > 0 ? MathMin(number, 2 ** 53 - 1) : 0;
};

// Proxies of arrays, which cannot be distinguished from arrays in any other way.
const arrayProxies = new SafeWeakSet();
let hasArrayProxies = false;
export const recordProxy = (target, proxy) => {
  // Array.isArray throws for a revoked proxy.
  if (core.isProxy(target) ? WeakSetPrototypeHas(arrayProxies, target) : ArrayIsArray(target)) {
    WeakSetPrototypeAdd(arrayProxies, proxy);
    hasArrayProxies = true;
  }
  return proxy;
};
export const isPlainArray = (value) => ArrayIsArray(value) && !(hasArrayProxies && WeakSetPrototypeHas(arrayProxies, value));

// Checks the length of an array-like value, and returns the value with a length that cannot change.
export const withFixedLength = (value) => {
  if (isPlainArray(value)) {
    checkArrayLength(value.length);
    return value;
  }
  if (typeof value === "string") {
    checkArrayLength(value.length);
    return value;
  }
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    return value;
  }
  if (!core.isProxy(value)) {
    const own = ReflectGetOwnPropertyDescriptor(value, "length");
    if (own !== undefined && typeof own.value === "number") {
      checkArrayLength(toLength(own.value));
      return value;
    }
  }
  const length = toLength(value.length);
  checkArrayLength(length);
  return new NativeProxy(value, {
    __proto__: null,
    get: (target, key) => (key === "length" ? length : ReflectGet(target, key)),
  });
};

// Guards a builtin of ECMAScript. `restoreBuiltins` removes the guard.
export const guard = (holder, key, wrap) => {
  saveBuiltin(holder, key);
  replaceFunction(holder, key, wrap);
};

// Replaces a function by a wrapper with the same name, length and attributes.
export const replaceFunction = (holder, key, wrap) => {
  const descriptor = ReflectGetOwnPropertyDescriptor(holder, key);
  if (descriptor === undefined) {
    return; // Not available in this engine.
  }
  const native = descriptor.value;
  const { name, length } = native;
  const guarded = wrap(native);
  ObjectDefineProperties(guarded, {
    name: { __proto__: null, value: name, configurable: true },
    length: { __proto__: null, value: length, configurable: true },
  });
  const { writable, enumerable, configurable } = descriptor;
  ObjectDefineProperties(holder, {
    [key]: { __proto__: null, value: guarded, writable, enumerable, configurable },
  });
};

export const guardAll = (holder, keys, wrap) => {
  for (const key of new SafeArrayIterator(keys)) {
    guard(holder, key, wrap);
  }
};

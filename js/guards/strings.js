// Guards for strings, and for functions that process them.

import { core, primordials } from "ext:core/mod.js";
import {
  checkStringLength,
  guard,
  guardAll,
  replaceFunction,
  saveBuiltin,
} from "ext:tailor_function/guards/lengths.js";

const {
  MathMax,
  MathMin,
  MathTrunc,
  ObjectDefineProperties,
  ReflectApply,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
} = primordials;
const { Date, JSON, Number, String, Symbol } = globalThis;

// V8 concatenates strings without copying them. Each of these functions copies or scans the whole string.
const checkStringLengths = (self, args) => {
  if (typeof self === "string") {
    checkStringLength(self.length);
  }
  for (let index = 0; index < args.length; index++) {
    if (typeof args[index] === "string") {
      checkStringLength(args[index].length);
    }
  }
};

const withLengthChecks = (native) => ({
  method(...args) {
    const self = toStringThis(this);
    checkStringLengths(self, args);
    return ReflectApply(native, self, args);
  },
}.method);

// The same for functions that ignore `this`.
const withArgumentChecks = (native) => ({
  method(...args) {
    checkStringLengths(undefined, args);
    return ReflectApply(native, undefined, args);
  },
}.method);

// Converts `this` as a string method does, except for values for which it throws.
const toStringThis = (self) =>
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
  withLengthChecks,
);
guardAll(
  globalThis,
  ["decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent", "escape", "parseFloat", "parseInt", "unescape"],
  withArgumentChecks,
);
saveBuiltin(Number, "parseFloat");
saveBuiltin(Number, "parseInt");
saveBuiltin(String.prototype, "trimLeft");
saveBuiltin(String.prototype, "trimRight");
// Properties with the same function keep the same function.
ObjectDefineProperties(Number, {
  parseFloat: core.propNonEnumerable(globalThis.parseFloat),
  parseInt: core.propNonEnumerable(globalThis.parseInt),
});
ObjectDefineProperties(String.prototype, {
  trimLeft: core.propNonEnumerable(String.prototype.trimStart),
  trimRight: core.propNonEnumerable(String.prototype.trimEnd),
});
guard(JSON, "parse", withArgumentChecks);

// Symbols by which the engine recognizes objects of its own, and processes them without limits. Scripts get others.
const RESERVED_SYMBOLS = {
  __proto__: null,
  "Deno.core.hostObject": Symbol("Deno.core.hostObject"),
  "Deno.customInspect": Symbol("Deno.customInspect"),
  "Deno.privateCustomInspect": Symbol("Deno.privateCustomInspect"),
  errorAdditionalPropertyKeys: Symbol("errorAdditionalPropertyKeys"),
};
// Not a guard: it is not removed with them.
replaceFunction(Symbol, "for", (native) => ({
  for(key) {
    const name = `${key}`;
    return RESERVED_SYMBOLS[name] ?? native(name);
  },
}.for));
guard(Symbol, "for", withArgumentChecks);
guard(Date, "parse", withArgumentChecks);

// Functions that create strings: checks the length of the result.
guard(String.prototype, "repeat", (native) => ({
  repeat(count) {
    const self = toStringThis(this);
    const times = +count;
    if (typeof self === "string" && times > 0 && times < Infinity) {
      checkStringLength(self.length * MathTrunc(times));
    }
    return ReflectApply(native, self, [times]);
  },
}.repeat));
guardAll(String.prototype, ["padStart", "padEnd"], (native) => ({
  method(...args) {
    if (args.length > 0) {
      args[0] = +args[0];
      checkStringLength(args[0]);
    }
    return ReflectApply(native, this, args);
  },
}.method));

// A search takes up to the product of both lengths in steps. Searches beyond this limit are split into parts.
const MAX_STEPS = 2 ** 26;

const search = (text, wanted, from, forwards) => {
  const last = text.length - wanted.length;
  const stride = MathMax(wanted.length, MathTrunc(MAX_STEPS / wanted.length));
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

const searchInParts = (forwards, result) => (native) => ({
  method(...args) {
    const self = toStringThis(this);
    const wanted = args[0];
    if (typeof self !== "string" || typeof wanted !== "string" || self.length * wanted.length <= MAX_STEPS) {
      return ReflectApply(native, self, args);
    }
    checkStringLength(self.length);
    checkStringLength(wanted.length);
    const at = args.length > 1 ? +args[1] : NaN;
    const from = at !== at ? (forwards ? 0 : self.length) : MathMin(MathMax(MathTrunc(at), 0), self.length);
    return result(search(self, wanted, from, forwards));
  },
}.method);
guard(String.prototype, "indexOf", searchInParts(true, (index) => index));
guard(String.prototype, "includes", searchInParts(true, (index) => index >= 0));
guard(String.prototype, "lastIndexOf", searchInParts(false, (index) => index));

// Texts, and functions that go through them.

import { core, primordials } from "ext:core/mod.js";
import {
  checkText,
  guard,
  guardAll,
  saveBuiltIn,
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
saveBuiltIn(Number, "parseFloat");
saveBuiltIn(Number, "parseInt");
saveBuiltIn(String.prototype, "trimLeft");
saveBuiltIn(String.prototype, "trimRight");
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

// Limits what `console` formats. Deno's formatter is native code that cannot be terminated while it runs, so the size of its input is
// checked before, in JavaScript, which can be.

import { core, primordials } from "ext:core/mod.js";

const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypePop,
  ArrayPrototypePush,
  MathMax,
  MathMin,
  ObjectDefineProperties,
  ObjectHasOwn,
  ObjectKeys,
  ReflectApply,
  ReflectDeleteProperty,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  SafeArrayIterator,
  SafeMapIterator,
  SafeSetIterator,
  Symbol,
  SymbolFor,
} = primordials;

// Maximum values that one call prints: a few thousand lines.
const MAX_VALUES = 20_000;

// Deno's default limits, beyond which it prints `...`: the depth of objects, and the elements of a list.
const DEPTH = 4;
const ELEMENTS = 100;

class TooLarge {}

/** Counts the values that would be printed. Runs no code of the script: no getters, no proxy traps. */
class ValueCounter {
  #remaining = MAX_VALUES;
  #ancestors = [];

  constructor(depth, elements) {
    this.depth = depth;
    this.elements = elements;
  }

  value(value) {
    this.#remaining--;
    if (this.#remaining < 0) {
      throw new TooLarge();
    }
    if (value === null || (typeof value !== "object" && typeof value !== "function")) {
      return;
    }
    if (core.isProxy(value)) {
      this.value(core.getProxyDetails(value)[0]);
      return;
    }
    if (this.#ancestors.length > this.depth || ArrayPrototypeIncludes(this.#ancestors, value)) {
      return;
    }
    ArrayPrototypePush(this.#ancestors, value);
    this.#members(value);
    ArrayPrototypePop(this.#ancestors);
  }

  #members(value) {
    if (core.isMap(value)) {
      this.#entries(new SafeMapIterator(value));
    } else if (core.isSet(value)) {
      this.#entries(new SafeSetIterator(value));
    }
    if (core.isTypedArray(value) || core.isAnyArrayBuffer(value)) {
      // Elements are numbers: each is one value.
      this.#remaining -= MathMin(this.elements, value.byteLength);
      return;
    }
    if (ArrayIsArray(value)) {
      const shown = MathMin(value.length, this.elements);
      for (let index = 0; index < shown; index++) {
        this.#own(value, index);
      }
      if (value.length > MAX_VALUES) {
        return;
      }
    }
    const keys = ReflectOwnKeys(value);
    for (let index = 0; index < keys.length; index++) {
      if (!ArrayIsArray(value) || index >= value.length) {
        this.#own(value, keys[index]);
      }
    }
  }

  #entries(entries) {
    let remaining = this.elements;
    for (const entry of entries) {
      if (remaining-- <= 0) {
        return;
      }
      this.value(entry);
    }
  }

  #own(value, key) {
    const descriptor = ReflectGetOwnPropertyDescriptor(value, key);
    // Accessors are printed as `[Getter]`, without their value.
    this.value(descriptor === undefined ? undefined : descriptor.value);
  }
}

const limitValue = (value, depth = DEPTH, elements = ELEMENTS) => {
  if (value === null || typeof value !== "object" && typeof value !== "function") {
    return value;
  }
  try {
    new ValueCounter(depth, elements).value(value);
    return value;
  } catch {
    // Too many values, or a stack overflow while counting.
    return `[too large to print: more than ${MAX_VALUES} values]`;
  }
};

const limitValues = (args) => {
  for (let index = 0; index < args.length; index++) {
    args[index] = limitValue(args[index]);
  }
  return args;
};

// The options that a script can set, by their type. The others, such as `budget` and `getters`, are the formatter's own state, or
// would have it process values that are not counted.
const NUMBERS = ["breakLength", "depth", "iterableLimit", "maxArrayLength", "maxStringLength", "strAbbreviateSize"];
const BOOLEANS = ["colors", "customInspect", "escapeSequences", "showHidden", "showProxy", "sorted", "trailingComma"];
const INDENTATIONS = ["indentationLvl", "indentLevel"];

// The formatter writes as many spaces before each line.
const MAX_INDENTATION = 256;

// Values that are being printed, in which another occurrence of one is shown as `[Circular]`.
const MAX_SEEN = 256;

// Copies the options that the formatter may get. Reads each once, so that getters cannot return one value to the check and another to
// the formatter.
const copyOptions = (options) => {
  if (options === null || typeof options !== "object") {
    return options;
  }
  const { compact, seen, stylize, ...given } = options;
  const copy = { __proto__: null };
  if (typeof compact === "boolean" || typeof compact === "number") {
    copy.compact = compact;
  }
  if (typeof stylize === "function") {
    copy.stylize = stylize;
  }
  if (ArrayIsArray(seen) && !core.isProxy(seen) && seen.length <= MAX_SEEN) {
    copy.seen = [...new SafeArrayIterator(seen)];
  }
  for (const key of new SafeArrayIterator(NUMBERS)) {
    if (typeof given[key] === "number" || given[key] === null || (key === "depth" && ObjectHasOwn(given, key))) {
      copy[key] = typeof given[key] === "number" ? given[key] : null;
    }
  }
  for (const key of new SafeArrayIterator(BOOLEANS)) {
    if (given[key] !== undefined) {
      copy[key] = !!given[key];
    }
  }
  for (const key of new SafeArrayIterator(INDENTATIONS)) {
    if (given[key] > 0) {
      copy[key] = MathMin(+given[key], MAX_INDENTATION) || 0;
    }
  }
  return copy;
};

// Uses the limits that the caller asks for instead of the defaults.
const limitForOptions = (value, options) => {
  const option = (key, fallback) => {
    const asked = options === null || typeof options !== "object" ? undefined : options[key];
    return asked === undefined ? fallback : typeof asked === "number" && asked >= 0 ? asked : Infinity;
  };
  const elements = MathMax(option("iterableLimit", ELEMENTS), option("maxArrayLength", ELEMENTS));
  return limitValue(value, option("depth", DEPTH), elements);
};

// Wraps the ops of the formatter, which custom inspectors of scripts can call. Must happen before the formatter is loaded.
const view = core.loadExtScript("ext:tailor_console/view.js");
const { ops } = view.core;
const { op_console_format_value, op_console_inspect, op_console_inspect_args } = ops;
ops.op_console_inspect = (intrinsics, value, options) => {
  const copy = copyOptions(options);
  return op_console_inspect(intrinsics, limitForOptions(value, copy), copy);
};
ops.op_console_inspect_args = (intrinsics, args, options) =>
  op_console_inspect_args(intrinsics, limitValues([...new SafeArrayIterator(args)]), options);
ops.op_console_format_value = (intrinsics, ctx, value, recurseTimes) => {
  const copy = copyOptions(ctx);
  return op_console_format_value(intrinsics, copy, limitForOptions(value, copy), recurseTimes);
};

// The formatter calls custom inspectors of three kinds, each by a symbol. Those of two kinds get the formatter's own state, which a script
// could change so that the process is aborted. Scripts cannot get these symbols, and the classes of the web APIs have inspectors of the
// third kind instead.
const INSPECT = SymbolFor("nodejs.util.inspect.custom");
const privateInspect = Symbol("inspect");
const symbolFor = (key) => key === "Deno.privateCustomInspect" ? privateInspect : SymbolFor(key);
view.primordials = { __proto__: view.primordials, SymbolFor: symbolFor };

/** Gives the classes among the exports of a script their inspectors. */
export const defineInspectors = (exports) => {
  for (const key of new SafeArrayIterator(ReflectOwnKeys(exports))) {
    const prototype = typeof exports[key] === "function" ? exports[key].prototype : undefined;
    if (typeof prototype !== "object" || !ObjectHasOwn(prototype, privateInspect) || ObjectHasOwn(prototype, INSPECT)) {
      continue;
    }
    const original = prototype[privateInspect];
    ReflectDeleteProperty(prototype, privateInspect);
    const inspector = {
      [INSPECT](_depth, options, inspect) {
        return ReflectApply(original, this, [inspect, options]);
      },
    }[INSPECT];
    ObjectDefineProperties(prototype, {
      [INSPECT]: { __proto__: null, value: inspector, enumerable: false, configurable: true, writable: true },
    });
  }
};

/** Wraps the methods of a console, so that they check their arguments. */
export const limitConsole = (console) => {
  for (const key of new SafeArrayIterator(ObjectKeys(console))) {
    const native = console[key];
    if (typeof native !== "function") {
      continue;
    }
    const method = {
      [key](...args) {
        if (key === "clear") {
          return undefined; // The log is not a terminal.
        }
        if (key === "dir" || key === "dirxml") {
          if (args.length > 1) {
            args[1] = copyOptions(args[1]);
          }
          args[0] = limitForOptions(args[0], args[1]);
        } else if (key === "table") {
          args[0] = limitValue(args[0], DEPTH, Infinity);
        } else {
          limitValues(args);
        }
        return ReflectApply(native, console, args);
      },
    }[key];
    ObjectDefineProperties(method, { length: { __proto__: null, value: native.length, configurable: true } });
    console[key] = method;
  }
  return console;
};

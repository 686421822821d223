// `console`, formatted as Deno does it. The formatter is the host's, and does not look up until it is done: so what it is given is
// measured first, here, where a script can be ended.

import { core, primordials } from "ext:core/mod.js";

const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypePop,
  ArrayPrototypePush,
  MathMin,
  ObjectDefineProperties,
  ObjectKeys,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  SafeArrayIterator,
  SafeMapIterator,
  SafeSetIterator,
} = primordials;

// Values that one call prints at the most: some thousand lines, more than anybody reads.
const MOST_VALUES = 20_000;

// Deno's own bounds, beyond which it prints `...`: how deep it goes, and how many elements of a list it shows.
const DEPTH = 4;
const ELEMENTS = 100;

class TooLarge {}

/** Counts what would be printed of a value. Runs nothing of the script: no getter, no trap of a proxy. */
class Measure {
  #left = MOST_VALUES;
  #open = [];

  constructor(depth, elements) {
    this.depth = depth;
    this.elements = elements;
  }

  value(value) {
    this.#left--;
    if (this.#left < 0) {
      throw new TooLarge();
    }
    if (value === null || (typeof value !== "object" && typeof value !== "function")) {
      return;
    }
    if (core.isProxy(value)) {
      this.value(core.getProxyDetails(value)[0]);
      return;
    }
    if (this.#open.length > this.depth || ArrayPrototypeIncludes(this.#open, value)) {
      return;
    }
    ArrayPrototypePush(this.#open, value);
    this.#members(value);
    ArrayPrototypePop(this.#open);
  }

  #members(value) {
    if (core.isMap(value)) {
      this.#some(new SafeMapIterator(value));
    } else if (core.isSet(value)) {
      this.#some(new SafeSetIterator(value));
    }
    if (core.isTypedArray(value) || core.isAnyArrayBuffer(value)) {
      // Numbers, as many as of a list.
      this.#left -= MathMin(this.elements, value.byteLength);
      return;
    }
    if (ArrayIsArray(value)) {
      const shown = MathMin(value.length, this.elements);
      for (let index = 0; index < shown; index++) {
        this.#own(value, index);
      }
      if (value.length > MOST_VALUES) {
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

  #some(entries) {
    let left = this.elements;
    for (const entry of entries) {
      if (left-- <= 0) {
        return;
      }
      this.value(entry);
    }
  }

  #own(value, key) {
    const descriptor = ReflectGetOwnPropertyDescriptor(value, key);
    // An accessor is shown as such.
    this.value(descriptor === undefined ? undefined : descriptor.value);
  }
}

const fit = (value, depth = DEPTH, elements = ELEMENTS) => {
  if (value === null || typeof value !== "object" && typeof value !== "function") {
    return value;
  }
  try {
    new Measure(depth, elements).value(value);
    return value;
  } catch {
    // Too much of it, or too deep to be counted.
    return `[too large to print: more than ${MOST_VALUES} values]`;
  }
};

const fitAll = (args) => {
  for (let index = 0; index < args.length; index++) {
    args[index] = fit(args[index]);
  }
  return args;
};

// Options are read once: a getter cannot say one thing here and another there.
const fixedOptions = (options) =>
  options === null || typeof options !== "object" ? options : { __proto__: null, ...options };

// Wider or deeper than by default, as far as the caller says.
const fitFor = (value, options) => {
  const of = (key, otherwise) => {
    const asked = options === null || typeof options !== "object" ? undefined : options[key];
    return asked === undefined ? otherwise : typeof asked === "number" && asked >= 0 ? asked : Infinity;
  };
  return fit(value, of("depth", DEPTH), of("iterableLimit", ELEMENTS));
};

// The formatter's own entries, which a script's custom inspectors are given. To be done before the formatter is loaded.
const { ops } = core.loadExtScript("ext:tailor_console/view.js").core;
const { op_console_format_value, op_console_inspect, op_console_inspect_args } = ops;
ops.op_console_inspect = (intrinsics, value, options) => {
  const fixed = fixedOptions(options);
  return op_console_inspect(intrinsics, fitFor(value, fixed), fixed);
};
ops.op_console_inspect_args = (intrinsics, args, options) =>
  op_console_inspect_args(intrinsics, fitAll([...new SafeArrayIterator(args)]), options);
ops.op_console_format_value = (intrinsics, ctx, value, recurseTimes) =>
  op_console_format_value(intrinsics, ctx, fitFor(value, ctx), recurseTimes);

/** Has the methods of a console measure what they are given. */
export const measured = (console) => {
  for (const key of new SafeArrayIterator(ObjectKeys(console))) {
    const native = console[key];
    if (typeof native !== "function") {
      continue;
    }
    const method = {
      [key](...args) {
        if (key === "clear") {
          return undefined; // a log is no terminal
        }
        if (key === "dir" || key === "dirxml") {
          if (args.length > 1) {
            args[1] = fixedOptions(args[1]);
          }
          args[0] = fitFor(args[0], args[1]);
        } else if (key === "table") {
          args[0] = fit(args[0], DEPTH, Infinity);
        } else {
          fitAll(args);
        }
        return ReflectApply(native, console, args);
      },
    }[key];
    ObjectDefineProperties(method, { length: { __proto__: null, value: native.length, configurable: true } });
    console[key] = method;
  }
  return console;
};

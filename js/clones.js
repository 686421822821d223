// Limits structured clones. A clone is serialized in the host's memory, where a string that occurs a thousand times in the value is
// written a thousand times, while the script holds it once.

import { core, primordials } from "ext:core/mod.js";

const {
  ArrayPrototypePop,
  ArrayPrototypePush,
  RangeError,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  SafeMapIterator,
  SafeSet,
  SafeSetIterator,
  SetPrototypeAdd,
  SetPrototypeHas,
} = primordials;

// Maximum total length of all strings, in UTF-16 units.
const MAX_TEXT = 2 ** 25;

/** Throws if the strings in a value are too long. Runs no code of the script: no getters, no proxy traps. */
const check = (value) => {
  const seen = new SafeSet();
  const pending = [];
  let text = 0;
  const visit = (value) => {
    if (typeof value === "string") {
      text += value.length;
      if (text > MAX_TEXT) {
        throw new RangeError(`there is too much text to clone: at most ${MAX_TEXT} characters`);
      }
    } else if (typeof value === "object" && value !== null && !core.isProxy(value) && !SetPrototypeHas(seen, value)) {
      SetPrototypeAdd(seen, value);
      ArrayPrototypePush(pending, value);
    }
  };
  visit(value);
  while (pending.length > 0) {
    const object = ArrayPrototypePop(pending);
    if (core.isTypedArray(object) || core.isAnyArrayBuffer(object)) {
      continue;
    }
    if (core.isMap(object)) {
      for (const entry of new SafeMapIterator(object)) {
        visit(entry[0]);
        visit(entry[1]);
      }
    } else if (core.isSet(object)) {
      for (const entry of new SafeSetIterator(object)) {
        visit(entry);
      }
    }
    const keys = ReflectOwnKeys(object);
    for (let index = 0; index < keys.length; index++) {
      visit(ReflectGetOwnPropertyDescriptor(object, keys[index])?.value);
    }
  }
};

/** Wraps a function that clones its first argument, so that it throws for values that are too large. */
export const limitClone = (native) => ({
  method(...args) {
    check(args[0]);
    return ReflectApply(native, this, args);
  },
}.method);

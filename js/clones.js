// What is cloned is written out first, in the host's memory, and a text as often as it stands in the value: a script that holds one
// text a thousand times would have it written a thousand times.

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

// Characters of all texts together.
const MOST_TEXT = 2 ** 25;

/** Refuses what has too much text in it. Runs nothing of the script: no getter, no trap of a proxy. */
const check = (value) => {
  const seen = new SafeSet();
  const left = [];
  let text = 0;
  const visit = (value) => {
    if (typeof value === "string") {
      text += value.length;
      if (text > MOST_TEXT) {
        throw new RangeError(`there is too much text to clone: at most ${MOST_TEXT} characters`);
      }
    } else if (typeof value === "object" && value !== null && !core.isProxy(value) && !SetPrototypeHas(seen, value)) {
      SetPrototypeAdd(seen, value);
      ArrayPrototypePush(left, value);
    }
  };
  visit(value);
  while (left.length > 0) {
    const object = ArrayPrototypePop(left);
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

/** A function that clones its first argument, for values that are not too large. */
export const checkedClone = (native) => ({
  method(...args) {
    check(args[0]);
    return ReflectApply(native, this, args);
  },
}.method);

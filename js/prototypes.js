// Restores the original prototypes while a script of the web APIs is loaded. Properties that a function script has put on them must not
// observe or influence what the loaded script assigns and looks up.

import { primordials } from "ext:core/mod.js";

const {
  ArrayPrototype,
  FunctionPrototype,
  ObjectHasOwn,
  ObjectPrototype,
  ObjectSetPrototypeOf,
  ReflectDefineProperty,
  ReflectDeleteProperty,
  ReflectGetOwnPropertyDescriptor,
  ReflectGetPrototypeOf,
  ReflectOwnKeys,
  ReflectSetPrototypeOf,
  SymbolIterator,
  TypeError,
} = primordials;

// Descriptors have no prototype, which could have accessors, for example of `get`.
const describe = (holder, key) => ObjectSetPrototypeOf(ReflectGetOwnPropertyDescriptor(holder, key), null);

const ArrayIteratorPrototype = ReflectGetPrototypeOf([][SymbolIterator]());
const iterator = describe(ArrayPrototype, SymbolIterator);
const next = describe(ArrayIteratorPrototype, "next");

// Accessors of the engine.
const isBuiltin = (key) => key === "__proto__" || key === "arguments" || key === "caller";

const isIndex = (key) => typeof key === "string" && `${key >>> 0}` === key;

// Whether an accessor that cannot be removed could be hit by a loaded script.
const isHazard = (holder, key, { set }) =>
  holder === ObjectPrototype || (holder === ArrayPrototype && (set !== undefined || isIndex(key)));

const throwFrozen = () => {
  throw new TypeError("what is asked for cannot be loaded any more: a prototype has been changed for good");
};

/** Changes of prototypes, with the functions that undo them. Not an array, because arrays have a prototype. */
class Changes {
  #undo = { __proto__: null };
  #count = 0;

  /** Undoes all changes, the last one first. */
  undoAll() {
    while (this.#count > 0) {
      this.#count--;
      this.#undo[this.#count]();
    }
  }

  #record(undo) {
    this.#undo[this.#count] = undo;
    this.#count++;
  }

  /** Removes the accessors of an object. */
  removeAccessors(holder) {
    const keys = ReflectOwnKeys(holder);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index];
      if (isBuiltin(key)) {
        continue;
      }
      const descriptor = describe(holder, key);
      if (ObjectHasOwn(descriptor, "value")) {
        continue;
      }
      if (descriptor.configurable) {
        this.#record(() => ReflectDefineProperty(holder, key, descriptor));
        ReflectDeleteProperty(holder, key);
      } else if (isHazard(holder, key, descriptor)) {
        throwFrozen();
      }
    }
  }

  /** Restores the original value of a property. */
  restore(holder, key, original) {
    const has = ObjectHasOwn(holder, key);
    const descriptor = has ? describe(holder, key) : undefined;
    if (has && descriptor.value === original.value) {
      return;
    }
    this.#record(() => has ? ReflectDefineProperty(holder, key, descriptor) : ReflectDeleteProperty(holder, key));
    if (!ReflectDefineProperty(holder, key, original)) {
      throwFrozen();
    }
  }

  /** Restores `Object.prototype` as the prototype of an object. */
  restorePrototype(holder) {
    const prototype = ReflectGetPrototypeOf(holder);
    if (prototype === ObjectPrototype) {
      return;
    }
    this.#record(() => ReflectSetPrototypeOf(holder, prototype));
    if (!ReflectSetPrototypeOf(holder, ObjectPrototype)) {
      throwFrozen();
    }
  }
}

/** Calls `load` with the original prototypes, and returns its result. */
export const withOriginalPrototypes = (load) => {
  const changes = new Changes();
  try {
    changes.restorePrototype(ArrayPrototype);
    changes.restorePrototype(FunctionPrototype);
    changes.removeAccessors(ObjectPrototype);
    changes.removeAccessors(ArrayPrototype);
    changes.removeAccessors(FunctionPrototype);
    changes.restore(ArrayPrototype, SymbolIterator, iterator);
    changes.restore(ArrayIteratorPrototype, "next", next);
    return load();
  } finally {
    changes.undoAll();
  }
};

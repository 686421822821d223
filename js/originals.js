// While scripts of the web APIs are loaded, the prototypes are as the engine has made them: what a function script has put there by
// then is neither to see what those assign and look up, nor to answer for it.

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

// Null in place of a prototype that could have accessors: of `get`, for one.
const describe = (holder, key) => ObjectSetPrototypeOf(ReflectGetOwnPropertyDescriptor(holder, key), null);

const ArrayIteratorPrototype = ReflectGetPrototypeOf([][SymbolIterator]());
const iterator = describe(ArrayPrototype, SymbolIterator);
const next = describe(ArrayIteratorPrototype, "next");

// Accessors that the engine has put there itself.
const isEngines = (key) => key === "__proto__" || key === "arguments" || key === "caller";

const isIndex = (key) => typeof key === "string" && `${key >>> 0}` === key;

// One that cannot be set aside matters where a script of ours could meet it.
const isInTheWay = (holder, key, { set }) =>
  holder === ObjectPrototype || (holder === ArrayPrototype && (set !== undefined || isIndex(key)));

const refuse = () => {
  throw new TypeError("what is asked for cannot be loaded any more: a prototype has been changed for good");
};

/** What has been set aside, in the order in which that was done. No list: those have a prototype. */
class Aside {
  #done = { __proto__: null };
  #count = 0;

  /** Puts everything where it was. */
  putBack() {
    while (this.#count > 0) {
      this.#count--;
      this.#done[this.#count]();
    }
  }

  #note(undo) {
    this.#done[this.#count] = undo;
    this.#count++;
  }

  accessors(holder) {
    const keys = ReflectOwnKeys(holder);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index];
      if (isEngines(key)) {
        continue;
      }
      const descriptor = describe(holder, key);
      if (ObjectHasOwn(descriptor, "value")) {
        continue;
      }
      if (descriptor.configurable) {
        this.#note(() => ReflectDefineProperty(holder, key, descriptor));
        ReflectDeleteProperty(holder, key);
      } else if (isInTheWay(holder, key, descriptor)) {
        refuse();
      }
    }
  }

  replaced(holder, key, original) {
    const has = ObjectHasOwn(holder, key);
    const descriptor = has ? describe(holder, key) : undefined;
    if (has && descriptor.value === original.value) {
      return;
    }
    this.#note(() => has ? ReflectDefineProperty(holder, key, descriptor) : ReflectDeleteProperty(holder, key));
    if (!ReflectDefineProperty(holder, key, original)) {
      refuse();
    }
  }

  prototype(holder) {
    const prototype = ReflectGetPrototypeOf(holder);
    if (prototype === ObjectPrototype) {
      return;
    }
    this.#note(() => ReflectSetPrototypeOf(holder, prototype));
    if (!ReflectSetPrototypeOf(holder, ObjectPrototype)) {
      refuse();
    }
  }
}

/** What `load` returns, with the prototypes as they were made. */
export const undisturbed = (load) => {
  const aside = new Aside();
  try {
    aside.prototype(ArrayPrototype);
    aside.prototype(FunctionPrototype);
    aside.accessors(ObjectPrototype);
    aside.accessors(ArrayPrototype);
    aside.accessors(FunctionPrototype);
    aside.replaced(ArrayPrototype, SymbolIterator, iterator);
    aside.replaced(ArrayIteratorPrototype, "next", next);
    return load();
  } finally {
    aside.putBack();
  }
};

// Refuses accessors of Object.prototype by which a script would see the material of keys that are not extractable: deno_crypto assigns
// it to objects with that prototype.

import { core, primordials } from "ext:core/mod.js";
import { guard } from "ext:tailor_function/guards/lengths.js";

const {
  ObjectPrototype,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  TypeError,
} = primordials;
const { Object, Reflect } = globalThis;

// What deno_crypto assigns to the object with the material, and to those that contain it.
const NAMES = {
  __proto__: null,
  algorithm: true,
  cppgc: true,
  data: true,
  extractable: true,
  keyData: true,
  keyType: true,
  privateKey: true,
  seed: true,
  type: true,
  usages: true,
};

/** Whether the object is Object.prototype, or a proxy of it. */
const isObjectPrototype = (value) => {
  while (value !== ObjectPrototype) {
    const details = core.isProxy(value) ? core.getProxyDetails(value) : null;
    if (details === null) {
      return false;
    }
    value = details[0];
  }
  return true;
};

const throwRefused = (name) => {
  throw new TypeError(`Object.prototype cannot have an accessor "${name}": it would see the material of CryptoKeys`);
};

const toKey = (key) => typeof key === "symbol" ? key : `${key}`;

// Copies a descriptor, so that what is checked is what is defined.
const FIELDS = ["configurable", "enumerable", "get", "set", "value", "writable"];
const copyDescriptor = (descriptor) => {
  if (descriptor === null || (typeof descriptor !== "object" && typeof descriptor !== "function")) {
    return descriptor;
  }
  const copy = { __proto__: null };
  for (let index = 0; index < FIELDS.length; index++) {
    const field = FIELDS[index];
    if (field in descriptor) {
      copy[field] = descriptor[field];
    }
  }
  return copy;
};

const isRefused = (name, descriptor) => name in NAMES && (descriptor?.get !== undefined || descriptor?.set !== undefined);
const check = (name, descriptor) => {
  if (isRefused(name, descriptor)) {
    throwRefused(name);
  }
  return descriptor;
};

// A proxy is rare, and `core.isProxy` is an op: it is asked for values that are none of the usual.
const mayBeObjectPrototype = (target) => target === ObjectPrototype || core.isProxy(target);

guard(Object, "defineProperty", (native) => ({
  defineProperty(target, key, descriptor) {
    if (mayBeObjectPrototype(target) && isObjectPrototype(target)) {
      const name = toKey(key);
      return native(target, name, check(name, copyDescriptor(descriptor)));
    }
    return native(target, key, descriptor);
  },
}.defineProperty));
guard(Reflect, "defineProperty", (native) => ({
  defineProperty(target, key, descriptor) {
    if (mayBeObjectPrototype(target) && isObjectPrototype(target)) {
      const name = toKey(key);
      const copy = copyDescriptor(descriptor);
      return !isRefused(name, copy) && native(target, name, copy);
    }
    return native(target, key, descriptor);
  },
}.defineProperty));
guard(Object, "defineProperties", (native) => ({
  defineProperties(target, properties) {
    if (mayBeObjectPrototype(target) && isObjectPrototype(target) && properties !== null && properties !== undefined) {
      const copies = { __proto__: null };
      const keys = ReflectOwnKeys(Object(properties));
      for (let index = 0; index < keys.length; index++) {
        const key = keys[index];
        if (ReflectGetOwnPropertyDescriptor(properties, key)?.enumerable) {
          copies[key] = check(key, copyDescriptor(properties[key]));
        }
      }
      return native(target, copies);
    }
    return native(target, properties);
  },
}.defineProperties));
const guardAccessor = (native) => ({
  method(key, accessor) {
    if (mayBeObjectPrototype(this) && isObjectPrototype(this)) {
      const name = toKey(key);
      if (name in NAMES) {
        throwRefused(name);
      }
      return ReflectApply(native, this, [name, accessor]);
    }
    return ReflectApply(native, this, [key, accessor]);
  },
}.method);
guard(Object.prototype, "__defineGetter__", guardAccessor);
guard(Object.prototype, "__defineSetter__", guardAccessor);

// Limits WebCrypto. Calls run on threads of the host, where they do not count as CPU time of the script and cannot be cancelled: each
// call must be short, and the memory of calls in progress must count.
//
// The algorithm of a call is copied first, reading each member once, so that the checked values are those that are used.

(function () {
const { core, primordials } = __bootstrap;
const { op_function_crypto_begin, op_function_crypto_end, op_function_memory_add, op_function_memory_release } = core.ops;
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  DataViewPrototypeGetByteLength,
  MapPrototypeGet,
  MapPrototypeGetSize,
  MapPrototypeSet,
  MathCeil,
  MathFloor,
  ObjectDefineProperty,
  Promise,
  ReflectApply,
  ReflectDeleteProperty,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  SafeFinalizationRegistry,
  SafeMap,
  SafeWeakMap,
  String,
  StringPrototypeToUpperCase,
  TypedArrayPrototypeGetByteLength,
  TypeError,
  WeakMapPrototypeGet,
  WeakMapPrototypeHas,
  WeakMapPrototypeSet,
} = primordials;
const { hostObjectBrand, isAnyArrayBuffer, isDataView } = core;
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

// In bits. The largest size in common use; generating such a key already takes seconds.
const MAX_MODULUS_LENGTH = 4096;
// About one second, and above the 1,300,000 that OWASP recommends for SHA-1. Each block of the output takes all iterations.
const MAX_PBKDF2_ROUNDS = 2_000_000;
// In KiB, and in KiB times passes. The second recommended option of RFC 9106 is 3 passes over 64 MiB.
const MAX_ARGON2_MEMORY = 65_536;
const MAX_ARGON2_WORK = 262_144;
// Of keys and of derived bits, in bits. Far above the needs of all algorithms.
const MAX_LENGTH = 131_072;
// Of extendable-output functions such as SHAKE, in bits.
const MAX_OUTPUT_LENGTH = 8_388_608;
// In bytes. A salt longer than the hash has no benefit.
const MAX_SALT_LENGTH = 1024;
// Of an imported key, in bytes. An RSA key of 4096 bits has 2.4 KB.
const MAX_KEY_DATA = 16_384;

const MEMBERS = [
  "additionalData", "associatedData", "context", "counter", "customization", "functionName", "info", "iv", "label",
  "namedCurve", "nonce", "public", "publicExponent", "salt", "secretValue",
];
const NUMBERS = [
  "domainSeparation", "iterations", "length", "memory", "modulusLength", "outputLength", "parallelism", "passes",
  "saltLength", "tagLength",
];
const JWK_MEMBERS = [
  "alg", "crv", "d", "dp", "dq", "e", "ext", "k", "key_ops", "kty", "n", "oth", "p", "priv", "pub", "q", "qi", "use",
  "x", "y",
];
const HASH_BYTES = { __proto__: null, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64, "SHA3-256": 32, "SHA3-384": 48, "SHA3-512": 64 };
const SHA_1_BYTES = 20;

function checkMax(what, value, max) {
  if (value > max) throw new DOMException(`${what}: ${value}, of at most ${max}`, "OperationError");
}

const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

function byteLength(value) {
  if (isAnyArrayBuffer(value)) return bufferLength(value);
  if (!ArrayBufferIsView(value)) return 0;
  return isDataView(value) ? DataViewPrototypeGetByteLength(value) : TypedArrayPrototypeGetByteLength(value);
}

function bufferLength(buffer) {
  try {
    return ArrayBufferPrototypeGetByteLength(buffer);
  } catch {
    // Shared memory: the call itself throws.
    return 0;
  }
}

// Copies an algorithm and checks its limits.
function copyAlgorithm(algorithm) {
  if (!isObject(algorithm)) return algorithm;
  const copy = { __proto__: null };
  const { name, hash } = algorithm;
  if (name !== undefined) copy.name = String(name);
  if (hash !== undefined) copy.hash = isObject(hash) ? { __proto__: null, name: String(hash.name) } : hash;
  for (let i = 0; i < MEMBERS.length; i += 1) {
    const value = algorithm[MEMBERS[i]];
    if (value !== undefined) copy[MEMBERS[i]] = value;
  }
  for (let i = 0; i < NUMBERS.length; i += 1) {
    const value = algorithm[NUMBERS[i]];
    // The same conversion as in the call, which throws for anything but numbers.
    if (value !== undefined) copy[NUMBERS[i]] = value === null ? null : +value;
  }
  checkMax("modulusLength", copy.modulusLength >>> 0, MAX_MODULUS_LENGTH);
  checkMax("length", copy.length >>> 0, MAX_LENGTH);
  checkMax("outputLength", copy.outputLength, MAX_OUTPUT_LENGTH);
  checkMax("saltLength", copy.saltLength >>> 0, MAX_SALT_LENGTH);
  return copy;
}

// The memory that a call needs for its algorithm, in bytes.
function sizeOf(algorithm) {
  if (!isObject(algorithm)) return 0;
  let bytes = 0;
  for (let i = 0; i < MEMBERS.length; i += 1) bytes += byteLength(algorithm[MEMBERS[i]]);
  if (algorithm.outputLength > 0) bytes += MathCeil(algorithm.outputLength / 8);
  return bytes;
}

// Limits the cost of deriving `length` bits, and returns the memory that it needs, in bytes.
function checkDerivation(algorithm, length) {
  if (!isObject(algorithm)) return 0;
  const bits = length >>> 0;
  checkMax("length", bits, MAX_LENGTH);
  const name = StringPrototypeToUpperCase(`${algorithm.name}`);
  if (name === "PBKDF2") {
    const hash = isObject(algorithm.hash) ? algorithm.hash.name : algorithm.hash;
    const blocks = MathCeil(bits / 8 / ((typeof hash === "string" && HASH_BYTES[hash]) || SHA_1_BYTES)) || 1;
    // The salt is hashed once per block, in chunks of at least 64 bytes.
    const rounds = blocks * (algorithm.iterations + MathFloor(byteLength(algorithm.salt) / 64));
    checkMax(blocks === 1 ? "PBKDF2's iterations" : `PBKDF2's iterations for ${blocks} blocks`, rounds, MAX_PBKDF2_ROUNDS);
  } else if (name === "ARGON2I" || name === "ARGON2D" || name === "ARGON2ID") {
    checkMax("Argon2's memory in KiB", algorithm.memory, MAX_ARGON2_MEMORY);
    checkMax("Argon2's memory in KiB times its passes", algorithm.memory * algorithm.passes, MAX_ARGON2_WORK);
    return algorithm.memory > 0 ? algorithm.memory * 1024 : 0;
  }
  return 0;
}

function checkKeyData(data) {
  const bytes = byteLength(data);
  checkMax("the key data in bytes", bytes, MAX_KEY_DATA);
  return bytes;
}

function copyJwk(jwk) {
  if (!isObject(jwk) || ArrayBufferIsView(jwk) || isAnyArrayBuffer(jwk)) return jwk;
  const copy = { __proto__: null };
  for (let i = 0; i < JWK_MEMBERS.length; i += 1) {
    const value = jwk[JWK_MEMBERS[i]];
    if (value === undefined) continue;
    copy[JWK_MEMBERS[i]] = isObject(value) || typeof value === "boolean" ? value : String(value);
    if (typeof value === "string") checkMax(`the length of the key's '${JWK_MEMBERS[i]}'`, value.length, MAX_KEY_DATA);
  }
  return copy;
}

// For each method: copies and checks its arguments in place, and returns the memory that the call needs, in bytes.
const METHODS = {
  __proto__: null,
  digest: (args) => {
    args[0] = copyAlgorithm(args[0]);
    return sizeOf(args[0]) + byteLength(args[1]);
  },
  encrypt: withData,
  decrypt: withData,
  sign: withData,
  verify: (args) => withData(args) + byteLength(args[3]),
  deriveBits: (args) => {
    args[0] = copyAlgorithm(args[0]);
    if (args[2] !== undefined && args[2] !== null) args[2] = +args[2];
    return sizeOf(args[0]) + checkDerivation(args[0], args[2]);
  },
  deriveKey: (args) => {
    args[0] = copyAlgorithm(args[0]);
    args[2] = copyAlgorithm(args[2]);
    // The default length of an HMAC key is the block size of its hash: at most 1344 bits.
    const length = (isObject(args[2]) && args[2].length) || 1344;
    return sizeOf(args[0]) + checkDerivation(args[0], length);
  },
  generateKey: (args) => {
    args[0] = copyAlgorithm(args[0]);
    return 0;
  },
  importKey: (args) => {
    args[0] = String(args[0]);
    args[1] = args[0] === "jwk" ? copyJwk(args[1]) : args[1];
    args[2] = copyAlgorithm(args[2]);
    return checkKeyData(args[1]);
  },
  exportKey: () => 0,
  encapsulateBits: withAlgorithm,
  encapsulateKey: withAlgorithm,
  decapsulateBits: withAlgorithm,
  decapsulateKey: withAlgorithm,
  getPublicKey: () => 0,
  wrapKey: (args) => {
    args[3] = copyAlgorithm(args[3]);
    return sizeOf(args[3]);
  },
  unwrapKey: (args) => {
    args[3] = copyAlgorithm(args[3]);
    args[4] = copyAlgorithm(args[4]);
    return checkKeyData(args[1]) + sizeOf(args[3]);
  },
};

function withAlgorithm(args) {
  args[0] = copyAlgorithm(args[0]);
  return sizeOf(args[0]);
}

function withData(args) {
  args[0] = copyAlgorithm(args[0]);
  return sizeOf(args[0]) + byteLength(args[2]);
}

// The data of a key is external memory until the key is garbage-collected.
const keys = new SafeFinalizationRegistry((bytes) => op_function_memory_release(bytes));

// deno_crypto puts the material of each key on the key, also of those that are not extractable: the value of a symbol, and what the
// function returns that is called to clone the key. Both are hidden, and clones refer to the key by a number.
const snapshots = new SafeWeakMap();
const ids = new SafeWeakMap();
const cloned = new SafeMap();

function cloneKey() {
  let id = WeakMapPrototypeGet(ids, this);
  if (id === undefined) {
    if (!WeakMapPrototypeHas(snapshots, this)) throw new TypeError("this is no CryptoKey");
    id = MapPrototypeGetSize(cloned);
    MapPrototypeSet(cloned, id, this);
    WeakMapPrototypeSet(ids, this, id);
  }
  return { __proto__: null, type: "CryptoKey", id };
}

function hideMaterial(key) {
  // deno_crypto does not put it on keys that are generated or derived. Their clones are the keys themselves, which never change.
  WeakMapPrototypeSet(snapshots, key, undefined);
  const symbols = ReflectOwnKeys(key);
  for (let i = 0; i < symbols.length; i += 1) {
    const symbol = symbols[i];
    const { value } = ReflectGetOwnPropertyDescriptor(key, symbol);
    if (symbol === hostObjectBrand) WeakMapPrototypeSet(snapshots, key, value);
    // The brand of web interfaces stays.
    if (value !== symbol) ReflectDeleteProperty(key, symbol);
  }
  ObjectDefineProperty(key, hostObjectBrand, { __proto__: null, value: cloneKey });
}

// Hides the material of a key, or of the keys that a call has returned.
const RESULTS = ["privateKey", "publicKey", "sharedKey"];
function hideMaterials(isKey, value) {
  if (!isObject(value)) return value;
  if (isKey(value)) {
    hideMaterial(value);
    return value;
  }
  for (let i = 0; i < RESULTS.length; i += 1) {
    const key = ReflectGetOwnPropertyDescriptor(value, RESULTS[i])?.value;
    if (key !== undefined && isKey(key)) hideMaterial(key);
  }
  return value;
}

// The native methods. If the script is loaded again, after a failure, the class is the same and already wrapped.
const natives = { __proto__: null };

function wrapMethods(CryptoKey, SubtleCrypto) {
  const { get: algorithmOf } = ReflectGetOwnPropertyDescriptor(CryptoKey.prototype, "algorithm");
  const isKey = (value) => {
    try {
      ReflectApply(algorithmOf, value, []);
      return true;
    } catch {
      return false;
    }
  };
  const imported = (key, bytes) => {
    const { modulusLength } = ReflectApply(algorithmOf, key, []);
    checkMax("modulusLength", modulusLength, MAX_MODULUS_LENGTH);
    op_function_memory_add(bytes);
    keys.register(key, bytes);
    return key;
  };

  for (const name in METHODS) {
    const prepare = METHODS[name];
    const native = natives[name] ??= SubtleCrypto.prototype[name];
    const imports = name === "importKey" || name === "unwrapKey";
    const method = {
      async [name](...args) {
        const bytes = args.length < native.length ? 0 : prepare(args);
        op_function_crypto_begin(bytes);
        try {
          const promise = ReflectApply(native, this, args);
          // Without this, a script's accessor for `constructor` would get the key first.
          ObjectDefineProperty(promise, "constructor", { __proto__: null, value: Promise });
          const value = hideMaterials(isKey, await promise);
          return imports ? imported(value, bytes) : value;
        } finally {
          op_function_crypto_end(bytes);
        }
      },
    }[name];
    ObjectDefineProperty(method, "length", { __proto__: null, value: native.length, configurable: true });
    ObjectDefineProperty(SubtleCrypto.prototype, name, {
      __proto__: null,
      value: method,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

// Removes extensions of Deno that bypass the limits, and that can export keys that are not extractable.
let fromCloneData;
function removeExtensions(CryptoKey, withOriginalPrototypes) {
  // If the script is loaded again, the class is the same.
  fromCloneData ??= CryptoKey.fromCloneData;
  core.getCloneableDeserializers().CryptoKey = ({ id }) => {
    const original = MapPrototypeGet(cloned, id);
    if (original === undefined) throw new DOMException("the key cannot be cloned", "DataCloneError");
    const snapshot = WeakMapPrototypeGet(snapshots, original);
    if (snapshot === undefined) return original;
    const key = withOriginalPrototypes(() => ReflectApply(fromCloneData, CryptoKey, [snapshot()]));
    hideMaterial(key);
    return key;
  };
  delete CryptoKey.fromCloneData;
  delete CryptoKey.importSync;
  delete CryptoKey.exportNodeMaterial;
}

return {
  limitCrypto: ({ CryptoKey, SubtleCrypto }, withOriginalPrototypes) => {
    wrapMethods(CryptoKey, SubtleCrypto);
    removeExtensions(CryptoKey, withOriginalPrototypes);
  },
};
})();

// Bounds what a script can have WebCrypto compute. It computes on threads that no clock of the script's counts and nothing
// can end in the midst of a call, so one call must not take long, and what the calls under way keep must count.
//
// A call's algorithm is copied first, each member read once: what is checked is what is computed with.

(function () {
const { core, primordials } = __bootstrap;
const { op_function_crypto_begin, op_function_crypto_end, op_function_memory_add, op_function_memory_release } = core.ops;
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  DataViewPrototypeGetByteLength,
  MathCeil,
  MathFloor,
  ObjectDefineProperty,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  SafeFinalizationRegistry,
  String,
  StringPrototypeToUpperCase,
  TypedArrayPrototypeGetByteLength,
} = primordials;
const { isAnyArrayBuffer, isDataView } = core;
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

// The largest that is in use, and as much as its keys take seconds to be found.
const MAX_MODULUS_LENGTH = 4096;
// A second or so, and above the 1,300,000 that are advised for SHA-1. Each block of the output takes all iterations.
const MAX_PBKDF2_ROUNDS = 2_000_000;
// RFC 9106's second choice is 3 passes over 64 MiB. In KiB, and KiB times passes.
const MAX_ARGON2_MEMORY = 65_536;
const MAX_ARGON2_WORK = 262_144;
// Of keys, and of bits that are derived: far more than any algorithm has use for. In bits.
const MAX_LENGTH = 131_072;
// Of SHAKE and the like. In bits.
const MAX_OUTPUT_LENGTH = 8_388_608;
// In bytes; none is of use that is longer than a hash.
const MAX_SALT_LENGTH = 1024;
// Of a key to be imported. An RSA key of 4096 bits has 2.4 KB.
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

function atMost(what, value, most) {
  if (value > most) throw new DOMException(`${what}: ${value}, of at most ${most}`, "OperationError");
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
    // Shared memory is refused by the call itself.
    return 0;
  }
}

// The algorithm as the call will see it, within the bounds.
function copied(algorithm) {
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
    // As the call would: what is no number is its to refuse.
    if (value !== undefined) copy[NUMBERS[i]] = value === null ? null : +value;
  }
  atMost("modulusLength", copy.modulusLength >>> 0, MAX_MODULUS_LENGTH);
  atMost("length", copy.length >>> 0, MAX_LENGTH);
  atMost("outputLength", copy.outputLength, MAX_OUTPUT_LENGTH);
  atMost("saltLength", copy.saltLength >>> 0, MAX_SALT_LENGTH);
  return copy;
}

// What the call keeps of its algorithm, in bytes.
function sizeOf(algorithm) {
  if (!isObject(algorithm)) return 0;
  let bytes = 0;
  for (let i = 0; i < MEMBERS.length; i += 1) bytes += byteLength(algorithm[MEMBERS[i]]);
  if (algorithm.outputLength > 0) bytes += MathCeil(algorithm.outputLength / 8);
  return bytes;
}

// Bounds what it takes to derive so many bits, and returns what it keeps.
function derivation(algorithm, length) {
  if (!isObject(algorithm)) return 0;
  const bits = length >>> 0;
  atMost("length", bits, MAX_LENGTH);
  const name = StringPrototypeToUpperCase(`${algorithm.name}`);
  if (name === "PBKDF2") {
    const hash = isObject(algorithm.hash) ? algorithm.hash.name : algorithm.hash;
    const blocks = MathCeil(bits / 8 / ((typeof hash === "string" && HASH_BYTES[hash]) || SHA_1_BYTES)) || 1;
    // The salt is hashed for each block as well, 64 bytes at a time or more.
    const rounds = blocks * (algorithm.iterations + MathFloor(byteLength(algorithm.salt) / 64));
    atMost(blocks === 1 ? "PBKDF2's iterations" : `PBKDF2's iterations for ${blocks} blocks`, rounds, MAX_PBKDF2_ROUNDS);
  } else if (name === "ARGON2I" || name === "ARGON2D" || name === "ARGON2ID") {
    atMost("Argon2's memory in KiB", algorithm.memory, MAX_ARGON2_MEMORY);
    atMost("Argon2's memory in KiB times its passes", algorithm.memory * algorithm.passes, MAX_ARGON2_WORK);
    return algorithm.memory > 0 ? algorithm.memory * 1024 : 0;
  }
  return 0;
}

function keyData(data) {
  const bytes = byteLength(data);
  atMost("the key data in bytes", bytes, MAX_KEY_DATA);
  return bytes;
}

function copiedJwk(jwk) {
  if (!isObject(jwk) || ArrayBufferIsView(jwk) || isAnyArrayBuffer(jwk)) return jwk;
  const copy = { __proto__: null };
  for (let i = 0; i < JWK_MEMBERS.length; i += 1) {
    const value = jwk[JWK_MEMBERS[i]];
    if (value === undefined) continue;
    copy[JWK_MEMBERS[i]] = isObject(value) || typeof value === "boolean" ? value : String(value);
    if (typeof value === "string") atMost(`the length of the key's '${JWK_MEMBERS[i]}'`, value.length, MAX_KEY_DATA);
  }
  return copy;
}

// How the arguments of each method become those that it is called with, and what the call keeps.
const METHODS = {
  __proto__: null,
  digest: (args) => {
    args[0] = copied(args[0]);
    return sizeOf(args[0]) + byteLength(args[1]);
  },
  encrypt: withData,
  decrypt: withData,
  sign: withData,
  verify: (args) => withData(args) + byteLength(args[3]),
  deriveBits: (args) => {
    args[0] = copied(args[0]);
    if (args[2] !== undefined && args[2] !== null) args[2] = +args[2];
    return sizeOf(args[0]) + derivation(args[0], args[2]);
  },
  deriveKey: (args) => {
    args[0] = copied(args[0]);
    args[2] = copied(args[2]);
    // No hash has longer blocks, which an HMAC key is of where nothing is said.
    const length = (isObject(args[2]) && args[2].length) || 1344;
    return sizeOf(args[0]) + derivation(args[0], length);
  },
  generateKey: (args) => {
    args[0] = copied(args[0]);
    return 0;
  },
  importKey: (args) => {
    args[0] = String(args[0]);
    args[1] = args[0] === "jwk" ? copiedJwk(args[1]) : args[1];
    args[2] = copied(args[2]);
    return keyData(args[1]);
  },
  exportKey: () => 0,
  wrapKey: (args) => {
    args[3] = copied(args[3]);
    return sizeOf(args[3]);
  },
  unwrapKey: (args) => {
    args[3] = copied(args[3]);
    args[4] = copied(args[4]);
    return keyData(args[1]) + sizeOf(args[3]);
  },
};

function withData(args) {
  args[0] = copied(args[0]);
  return sizeOf(args[0]) + byteLength(args[2]);
}

// The data of keys is kept beside the engine's memory for as long as the key lives.
const keys = new SafeFinalizationRegistry((bytes) => op_function_memory_release(bytes));

// The engine's own: its class stays when the script is loaded anew, and is wrapped already then.
const natives = { __proto__: null };

function bound(CryptoKey, SubtleCrypto) {
  const { get: algorithmOf } = ReflectGetOwnPropertyDescriptor(CryptoKey.prototype, "algorithm");
  const imported = (key, bytes) => {
    const { modulusLength } = ReflectApply(algorithmOf, key, []);
    atMost("modulusLength", modulusLength, MAX_MODULUS_LENGTH);
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
          const value = await ReflectApply(native, this, args);
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

// Doors of another runtime, past all of this and past what is not extractable.
let fromCloneData;
function close(CryptoKey) {
  // The class stays the same where the script is loaded anew.
  fromCloneData ??= CryptoKey.fromCloneData;
  core.getCloneableDeserializers().CryptoKey = (data) => ReflectApply(fromCloneData, CryptoKey, [data]);
  delete CryptoKey.fromCloneData;
  delete CryptoKey.importSync;
  delete CryptoKey.exportNodeMaterial;
}

return {
  boundCrypto: ({ CryptoKey, SubtleCrypto }) => {
    bound(CryptoKey, SubtleCrypto);
    close(CryptoKey);
  },
};
})();

// Limits the strings that a script can pass to ops. V8 represents `"x".repeat(2 ** 29)` with a few bytes, but the host copies it in
// full, several times.
//
// Must be loaded before the scripts that call the ops.

(function () {
const { core, primordials } = __bootstrap;
const { ops } = core;
const {
  ObjectDefineProperty,
  ObjectKeys,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  SafeArrayIterator,
} = primordials;
const { Console, op_function_check_text } = ops;

// The ops, and the maximum bytes that the host allocates for each UTF-16 unit.
const WEIGHTS = {
  __proto__: null,
  op_base64_atob: 1,
  op_base64_btoa: 1,
  op_encoding_encode_into: 1,
  op_encoding_encode_into_fallback: 1,
  op_url_parse: 2,
  op_url_parse_with_base: 2,
  op_url_reparse: 2,
  // Returns a list of pairs, which can be empty.
  op_url_parse_search_params: 32,
  op_urlpattern_parse: 32,
  op_urlpattern_process_match_input: 2,
  // Percent-encoded, and copied.
  op_url_stringify_search_params: 18,
};

function lengthOf(args) {
  let length = 0;
  for (let i = 0; i < args.length; i += 1) {
    const value = args[i];
    if (typeof value === "string") length += value.length;
  }
  return length;
}

// Includes the members of a URLPattern's input, which is an object of the web extension.
function lengthIn(args) {
  let length = lengthOf(args);
  const input = args[0];
  if (typeof input === "object" && input !== null) {
    const keys = ObjectKeys(input);
    for (let i = 0; i < keys.length; i += 1) {
      if (typeof input[keys[i]] === "string") length += input[keys[i]].length;
    }
  }
  return length;
}

// A list of pairs.
function lengthOfPairs(args) {
  const pairs = args[0];
  let length = 0;
  for (let i = 0; i < pairs.length; i += 1) length += pairs[i][0].length + pairs[i][1].length;
  return length;
}

const LENGTHS = {
  __proto__: null,
  op_url_stringify_search_params: lengthOfPairs,
  op_urlpattern_parse: lengthIn,
  op_urlpattern_process_match_input: lengthIn,
};

// Shorter strings are not checked.
const SHORT = 65_536;

for (const name in WEIGHTS) {
  const op = ops[name];
  const weight = WEIGHTS[name];
  const length = LENGTHS[name] ?? lengthOf;
  ops[name] = (...args) => {
    const text = length(args);
    if (text > SHORT) op_function_check_text(text * weight);
    return ReflectApply(op, undefined, args);
  };
}

const { encode } = core;
core.encode = (text) => {
  if (text.length > SHORT) op_function_check_text(text.length);
  return encode(text);
};

for (const name of new SafeArrayIterator(ReflectOwnKeys(Console.prototype))) {
  const { value: method } = ReflectGetOwnPropertyDescriptor(Console.prototype, name);
  if (name === "constructor" || typeof method !== "function") continue;
  ObjectDefineProperty(Console.prototype, name, {
    __proto__: null,
    value: function (...args) {
      const text = lengthOf(args);
      if (text > SHORT) op_function_check_text(text);
      return ReflectApply(method, this, args);
    },
  });
}
})();

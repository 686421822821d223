//! Random hostile scripts: built-ins with hostile receivers and arguments.

use proptest::prelude::*;
use proptest::sample::select;

/// Returns expressions for all functions that a script can reach.
pub(super) const LIST_BUILTINS: &str = r#"
const symbols = new Map(Reflect.ownKeys(Symbol).flatMap((key) => typeof Symbol[key] === "symbol" ? [[Symbol[key], key]] : []));
const roots = ["globalThis", "[][Symbol.iterator]()", "new Map().entries()", "new Set().values()", "''[Symbol.iterator]()",
  "/a/[Symbol.matchAll]('')", "(function* () {})()", "(async function* () {})()", "(async () => {})", "[].values().map(String)",
  "new Intl.Segmenter().segment('')", "Iterator.from({ next() {} })"];
export default () => {
  const seen = new Set();
  const queue = [];
  const functions = [];
  const visit = (value, path) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
    seen.add(value);
    queue.push([value, path]);
    if (typeof value === "function") functions.push(path);
  };
  for (const root of roots) visit(root === "globalThis" ? globalThis : (0, all)[root](), root);
  while (queue.length > 0) {
    const [object, path] = queue.shift();
    for (const key of Reflect.ownKeys(object)) {
      if (typeof key === "symbol" && !symbols.has(key)) continue;
      const name = typeof key === "symbol" ? `[Symbol.${symbols.get(key)}]` : /^[\w$]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
      const here = path === "globalThis" && name.startsWith(".") ? name.slice(1) : path + name;
      const { value, get, set } = Object.getOwnPropertyDescriptor(object, key);
      const accessor = `Object.getOwnPropertyDescriptor(${path}, ${typeof key === "symbol" ? name.slice(1, -1) : JSON.stringify(key)})`;
      visit(value, here);
      visit(get, `${accessor}.get`);
      visit(set, `${accessor}.set`);
    }
    visit(Object.getPrototypeOf(object), `Object.getPrototypeOf(${path})`);
  }
  return functions;
};
const all = {
  "[][Symbol.iterator]()": () => [][Symbol.iterator](), "new Map().entries()": () => new Map().entries(),
  "new Set().values()": () => new Set().values(), "''[Symbol.iterator]()": () => ""[Symbol.iterator](),
  "/a/[Symbol.matchAll]('')": () => /a/[Symbol.matchAll](""), "(function* () {})()": () => (function* () {})(),
  "(async function* () {})()": () => (async function* () {})(), "(async () => {})": () => (async () => {}),
  "[].values().map(String)": () => [].values().map(String), "new Intl.Segmenter().segment('')": () => new Intl.Segmenter().segment(""),
  "Iterator.from({ next() {} })": () => Iterator.from({ next() {} }),
};
"#;

/// What the values and statements below use.
const PRELUDE: &str = r#"const r = [];
const rope = (doublings, of = "ab") => { let text = of; for (let i = 0; i < doublings; i++) text += text; return text; };
const like = (length, rest) => ({ 0: 1, 1: "b", length, ...rest });
const sparse = (length) => { const list = [1, , "c"]; list.length = length; return list; };
const trap = (target) => new Proxy(Object(target), {
  get: (of, key) => (key === "length" ? 4294967295 : Reflect.get(of, key)), has: () => true,
  getOwnPropertyDescriptor: (of, key) => Reflect.getOwnPropertyDescriptor(of, key) ?? { value: 1, configurable: true, enumerable: true, writable: true },
});
const chain = (depth, of = {}) => { for (let i = 0; i < depth; i++) of = new Proxy(of, {}); return of; };
const deep = (depth) => { let value = []; for (let i = 0; i < depth; i++) value = [value]; return value; };
const wide = (width) => Object.fromEntries(Array.from({ length: width }, (_, i) => [`key${i}`, i]));
const shrinking = (length) => {
  const list = new Array(length).fill(1);
  Object.defineProperty(list, 1, { get() { list.length = 2; return 1; }, configurable: true, enumerable: true });
  return list;
};
const growing = () => { const list = [1, 2]; Object.defineProperty(list, 0, { get() { list.push(1, 2, 3); return 1; }, configurable: true, enumerable: true }); return list; };
const bytes = (length, max = 2 * length) => new Uint8Array(new ArrayBuffer(length, { maxByteLength: max }));
const resizing = (view, length) => ({ valueOf() { try { view.buffer.resize(length); } catch {} return 1; }, toString() { this.valueOf(); return "1"; } });
const detached = () => { const view = new Uint8Array(64); structuredClone(view, { transfer: [view.buffer] }); return view; };
const endless = (value) => ({ [Symbol.iterator]: () => ({ next: () => ({ value, done: false }), return() { throw value; } }) });
const revoked = () => { const { proxy, revoke } = Proxy.revocable(function () {}, {}); revoke(); return proxy; };
const primitive = (value) => ({ [Symbol.toPrimitive]: () => value, valueOf: () => value, toString: () => value, toJSON: () => value });
const species = (base, constructor) => { const value = Reflect.construct(base, [4]); value.constructor = { [Symbol.species]: constructor }; return value; };
const cycle = () => { const error = new Error("cycle"); error.cause = error; error.errors = [error]; return error; };
const settle = async (work) => {
  try {
    return await Promise.race([work(), new Promise((done) => setTimeout(done, 20))]);
  } catch (error) {
    return error;
  }
};
"#;

const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "7",
    "NaN",
    "1e5",
    "2 ** 20",
    "1e7",
    "2 ** 28",
    "2 ** 31 - 1",
    "2 ** 32 - 1",
    "2 ** 32",
    "2 ** 53 - 1",
    "-(2 ** 53)",
    "1e308",
    "Infinity",
    "-0",
    "5e-324",
    "8.64e15",
    "10n",
    "2n ** 64n",
    "2n ** 500_000n",
    "-1n",
];

const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'length'",
    "'__proto__'",
    "'constructor'",
    "'\\ud800'",
    "rope(10)",
    "rope(20)",
    "rope(22, 'é')",
    "rope(24)",
    "rope(28)",
    "rope(19, 'a ')",
    "rope(18, '\\u0130')",
    "rope(16, '(')",
    "rope(12, '[{')",
    "rope(20, '%F0')",
    "'(a+)+$'",
    "'[a-z]{1,1000}{1,1000}'",
    "rope(14, 'a?') + rope(14, 'a')",
    "'en-u-ca-chinese'",
    "'de-' + rope(8, 'x-')",
    "'data:text/javascript,' + rope(18)",
    "'https://a.example/' + rope(18, '../')",
    "'+275760-09-13T00:00:00Z[Asia/Tokyo][u-ca=chinese]'",
    "'sha-512'",
    "'gzip'",
    "'$1$&$`' + rope(16, '$&')",
];

const OBJECTS: &[&str] = &[
    "undefined",
    "null",
    "true",
    "{}",
    "[]",
    "globalThis",
    "Symbol.iterator",
    "Array.prototype",
    "Object.prototype",
    "like(2 ** 20)",
    "like(2 ** 32 - 1)",
    "like(2 ** 53 - 1)",
    "like(Infinity, { get 1() { throw r; } })",
    "sparse(2 ** 20)",
    "sparse(2 ** 32 - 1)",
    "new Array(1e6)",
    "new Array(1e5).fill('x')",
    "shrinking(1000)",
    "shrinking(1e6)",
    "growing()",
    "trap([])",
    "trap(function () {})",
    "trap(new Uint8Array(8))",
    "chain(10)",
    "chain(1e4)",
    "chain(1e5, () => 1)",
    "revoked()",
    "deep(100)",
    "deep(1e4)",
    "deep(1e6)",
    "wide(1000)",
    "wide(1e5)",
    "bytes(8)",
    "bytes(1e6)",
    "bytes(1000, 2 ** 30)",
    "new Uint8Array(16 << 20)",
    "new Float64Array(1e6)",
    "new BigInt64Array(1000)",
    "new SharedArrayBuffer(8, { maxByteLength: 1e6 })",
    "new DataView(new ArrayBuffer(8))",
    "detached()",
    "(() => { const view = bytes(1000); return [view, resizing(view, 0)]; })()",
    "resizing(bytes(8), 2 ** 20)",
    "endless(1)",
    "endless('ab')",
    "endless([1, 2])",
    "endless(endless(1))",
    "(function* () { for (;;) yield 1; })()",
    "(async function* () { for (;;) yield 'chunk'; })()",
    "new Map(Array.from({ length: 1000 }, (_, i) => [i, i]))",
    "new Set('abc')",
    "new Date(8.64e15)",
    "new Date(NaN)",
    "/(a*)*b/g",
    "/(?<=(a+)+)b/y",
    "Object.assign(/a/g, { exec: () => ({ index: 0, 0: '', length: 2 ** 31 }) })",
    "cycle()",
    "new AggregateError(endless(1).constructor)",
    "Promise.resolve(1)",
    "new Promise(() => {})",
    "{ then(done) { done(this); } }",
    "{ then(done) { setTimeout(done, 1); } }",
    "function () { return arguments; }",
    "function f() { return f(); }",
    "(a, b) => (a > b ? 1 : -1)",
    "() => { throw r; }",
    "() => r",
    "class A { static #p = 1; get [Symbol.toStringTag]() { return rope(20); } }",
    "new (class extends Array { static get [Symbol.species]() { return function (n) { return like(n); }; } })(1, 2, 3)",
    "species(Array, function () { return trap([]); })",
    "species(Uint8Array, Float64Array)",
    "new ReadableStream({ pull(controller) { controller.enqueue(new Uint8Array(65536)); } })",
    "new TransformStream()",
    "new Blob(Array(1000).fill('ab'))",
    "new FormData()",
    "new Headers({ a: 'b' })",
    "new URL('https://a.example/?a=b')",
    "new URLSearchParams('a=b')",
    "new TextDecoder('utf-16le')",
    "new Intl.NumberFormat('ar', { style: 'unit', unit: 'mile-per-hour', unitDisplay: 'long' })",
    "new Intl.Segmenter('th', { granularity: 'word' })",
    "Temporal.Now.zonedDateTimeISO('Asia/Tokyo').withCalendar('chinese')",
    "new WebAssembly.Memory({ initial: 1, maximum: 4096 })",
    "new WebAssembly.Table({ initial: 10, element: 'anyfunc' })",
    "new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])",
    "{ name: 'HMAC', hash: 'SHA-256', length: 512 }",
    "{ name: 'PBKDF2', hash: 'SHA-512', salt: new Uint8Array(8), iterations: 2e6 }",
    "{ signal: AbortSignal.timeout(1), highWaterMark: Infinity, size: () => 2 ** 53 }",
    "{ calendar: 'chinese', era: 'x', year: 275760, month: 1, day: 1, largestUnit: 'month', smallestUnit: 'nanosecond' }",
    "{ get length() { r.push(1); return 2 ** 31; }, get message() { throw r; }, get name() { return rope(20); } }",
    "new MessageChannel().port1",
    "structuredClone",
    "tailor.idp.Client",
    "new tailor.idp.Client('builtin-idp')",
];

/// Changes to prototypes, before anything else happens.
const POISONS: &[&str] = &[
    "Object.defineProperty(Array.prototype, 0, { set() {}, get() { return 1; }, configurable: true });",
    "Object.defineProperty(Array.prototype, 3, { set(value) { r[0] = value; }, get() { throw r; }, configurable: true });",
    "Object.defineProperty(Object.prototype, 'then', { get() { return (done) => done(1); }, configurable: true });",
    "Object.defineProperty(Object.prototype, 'length', { get() { return 2 ** 31; }, set() {}, configurable: true });",
    "Object.defineProperty(Object.prototype, 'value', { get() { return rope(20); }, set() {}, configurable: true });",
    "Object.defineProperty(Object.prototype, 'get', { get() { throw r; }, set() {}, configurable: true });",
    "Object.defineProperty(Object.prototype, 'message', { get() { return deep(1000); }, set() { throw r; }, configurable: true });",
    "Object.defineProperty(Object.prototype, 'constructor', { get() { return revoked(); }, set() {}, configurable: true });",
    "Object.defineProperty(Object.prototype, 'cause', { get() { return cycle(); }, set() {}, configurable: true });",
    "Object.defineProperty(Object.prototype, 'name', { get() { return rope(24); }, set() {}, configurable: true });",
    "Object.prototype.toJSON = () => endless(1);",
    "Array.prototype[Symbol.iterator] = function* () { yield* endless(1); };",
    "Array.prototype.push = Array.prototype.map = function () { return trap([]); };",
    "Function.prototype.call = Function.prototype.apply = function () { throw r; };",
    "Promise.prototype.then = function (done) { done?.(r); };",
    "Promise.prototype.constructor = { [Symbol.species]: function (run) { run(() => {}, () => {}); } };",
    "RegExp.prototype.exec = () => ({ index: 2 ** 40, 0: rope(20), length: 2 ** 40 });",
    "String.prototype[Symbol.iterator] = function* () { for (;;) yield 'a'; };",
    "Error.prepareStackTrace = (error, sites) => sites.map((site) => site.getThis?.() ?? rope(20)).join(rope(10));",
    "Error.stackTraceLimit = 2 ** 31;",
    "Error.prototype.toString = () => rope(24);",
    "Date.prototype[Symbol.toPrimitive] = () => 2n ** 1000n;",
    "Map.prototype.get = Map.prototype.set = Map.prototype.has = () => { throw r; };",
    "Object.freeze(Array.prototype); Object.freeze(Object.prototype);",
    "Object.setPrototypeOf(Array.prototype, chain(1000));",
    "Object.setPrototypeOf(globalThis, trap({}));",
    "globalThis.Array = globalThis.Promise = globalThis.Uint8Array = revoked();",
];

/// Receivers of the methods of a class that check what they are called on.
fn receivers(builtin: &str) -> &'static [&'static str] {
    let class = builtin.trim_start_matches("Object.getOwnPropertyDescriptor(").split(['.', ',']).next().unwrap_or("");
    match class {
        "String" => TEXTS,
        "Number" | "BigInt" => NUMBERS,
        "Uint8Array" | "Object.getPrototypeOf(Int8Array)" => {
            &["bytes(1e6)", "bytes(8)", "detached()", "new Uint8Array(16 << 20)"]
        }
        "ArrayBuffer" => &["bytes(1000, 2 ** 30).buffer", "detached().buffer", "new ArrayBuffer(16 << 20)"],
        "RegExp" => &["/(a*)*b/g", "/(?:)/gu", "new RegExp(rope(12, 'a?'))"],
        "Date" => &["new Date(8.64e15)", "new Date(0)"],
        "Promise" => &["Promise.resolve(1)", "new Promise(() => {})"],
        _ => OBJECTS,
    }
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => select(NUMBERS).prop_map(str::to_owned),
        3 => select(TEXTS).prop_map(str::to_owned),
        8 => select(OBJECTS).prop_map(|text| if text.starts_with('{') { format!("({text})") } else { text.to_owned() }),
        3 => (0..4_usize).prop_map(|index| format!("r[{index}]")),
    ];
    let wrappers = [
        "[$, $]",
        "new Array(1000).fill($)",
        "({ a: $, length: $, value: $ })",
        "({ get a() { return $; }, get 0() { return $; }, length: 3 })",
        "primitive($)",
        "new Proxy(Object($), {})",
        "trap($)",
        "endless($)",
        "(() => $)",
        "({ then: (done) => done($) })",
        "new Map([[$, $]])",
        "Object.assign(new Error('e'), { cause: $, name: $, message: $, stack: $ })",
        "Object.create($)",
        "({ toString: () => $, signal: $, body: $, locale: $, type: $ })",
    ];
    leaf.prop_recursive(2, 4, 1, move |inner| {
        (select(wrappers.to_vec()), inner).prop_map(|(wrapper, inner)| wrapper.replace('$', &inner))
    })
}

fn statement(builtins: &'static [String]) -> impl Strategy<Value = String> {
    // Half of the calls go to what most classes are made of; the others spread over everything, of which most is Intl's and Temporal's.
    let common: Vec<_> = builtins
        .iter()
        .filter(|name| {
            let classes = [
                "Array.",
                "String.",
                "Object.",
                "JSON.",
                "RegExp.",
                "Uint8Array.",
                "ArrayBuffer.",
                "Reflect.",
                "Iterator.",
            ];
            classes.iter().any(|class| name.starts_with(class)) || !name.contains('.')
        })
        .collect();
    let builtin = prop_oneof![select(common), select(builtins.iter().collect::<Vec<_>>())];
    let call = (builtin, any::<prop::sample::Index>(), value(), prop::collection::vec(value(), 0..4), 0..8_u8);
    call.prop_map(|(builtin, receiver, other, arguments, kind)| {
        let natural = receivers(builtin);
        let receiver = natural[receiver.index(natural.len())];
        let arguments = arguments.join(", ");
        match kind {
            0 | 1 => format!("r.push(await settle(() => Reflect.construct({builtin}, [{arguments}])));"),
            2 => format!("r.push(await settle(() => Reflect.apply({builtin}, {other}, [{arguments}])));"),
            3 => {
                format!("for (let i = 0; i < 1e5; i++) r.push(Reflect.apply({builtin}, ({receiver}), [{arguments}]));")
            }
            _ => format!("r.push(await settle(() => Reflect.apply({builtin}, ({receiver}), [{arguments}])));"),
        }
    })
}

/// Scripts that call these built-ins.
pub(super) fn scripts(builtins: &'static [String]) -> impl Strategy<Value = String> {
    let ends = [
        "return $;",
        "throw $;",
        "console.log($); console.table($);",
        "return structuredClone($);",
        "return JSON.stringify($);",
        "await new Response($).arrayBuffer();",
        "return r;",
    ];
    let end = (select(ends.to_vec()), value()).prop_map(|(end, value)| end.replace('$', &value));
    let poison = prop::option::weighted(0.4, select(POISONS));
    (prop::collection::vec(statement(builtins), 1..5), poison, end).prop_map(|(statements, poison, end)| {
        let body: Vec<_> = poison.map(str::to_owned).into_iter().chain(statements).chain([end]).collect();
        format!("{PRELUDE}export default async () => {{\n  {}\n}};\n", body.join("\n  "))
    })
}

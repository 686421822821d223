class Order {
  #secret = 1;
  total = 5;
  get doubled() {
    return 10;
  }
}
class Empty {}

export default () => {
  console.log("text", ["text"], 'quo"te', ["quo\"te's"]);
  console.log(0, -0, 1.5, NaN, 10n, true, null, undefined, Symbol("s"));
  console.log([1, , 3], [undefined, null], [[[[1]]]]);
  console.log({ a: 1, "b c": 2, [Symbol("s")]: 3, nested: { deeper: { deepest: { cut: {} } } } });
  console.log(new Order(), new Empty(), Order, Empty, { __proto__: null, a: 1 });
  console.log(() => 1, function named() {}, async () => {}, function* () {});
  console.log(new Map([["a", { b: 1 }]]), new Set([1, "two"]), new WeakMap());
  console.log(new Date(0), /a+/gi, new Uint8Array([1, 2]), new ArrayBuffer(2));
  console.log(Promise.resolve(1), Promise.reject(2).catch(() => {}) && "handled", new Proxy({ a: 1 }, {}));
  console.log(new URL("https://example.com/?q=1").href, new Boolean(true), new String("s"));
  console.log(Array.from({ length: 120 }, (_, index) => index).length, "x".repeat(10));
  const cycle = { name: "cycle" };
  cycle.self = cycle;
  console.log(cycle);
  console.log({ get a() { return 1; }, set a(value) {}, get b() { throw new Error("not called"); } });
};

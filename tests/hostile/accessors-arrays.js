// Attacks: Web APIs while Array.prototype has accessors that do nothing.
// Ends: result 1 | time
export default async () => {
  for (let index = 0; index < 16; index++) Object.defineProperty(Array.prototype, index, { set() {}, get() {}, configurable: true });
  const calls = [
    () => new URLSearchParams([["a", "b"]]), () => new URLSearchParams({ a: "b" }), () => new URLSearchParams("a=b&c=d").sort(), () => new Headers([["a", "b"]]),
    () => new URLPattern({ pathname: "/:a" }).exec("http://x/y"), () => structuredClone([1, 2]), () => console.log([1], { a: 1 }), () => console.table([[1]]),
    () => new Blob(["a", "b"]), () => new FormData().append("a", "b"), () => new File(["x"], "y"), () => new MessageChannel().port1.postMessage(1, []),
    () => structuredClone([new ArrayBuffer(1)], { transfer: [new ArrayBuffer(1)] }), () => AbortSignal.any([AbortSignal.timeout(10)]),
    () => new Response("x", { headers: { a: "b" } }), () => new Request("http://x", { headers: [["a", "b"]] }), () => null.x, () => crypto.randomUUID(),
    () => new ReadableStream().tee(), () => new TextDecoder("x"), () => Intl.getCanonicalLocales(["de"]), () => new WebAssembly.Table({ element: "x" }),
  ];
  for (const call of calls) try { call(); } catch (error) { try { String(error.stack); } catch {} }
  for (let index = 0; index < 16; index++) delete Array.prototype[index];
  return 1;
};

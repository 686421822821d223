// Attacks: Web APIs while Array.prototype has accessors that throw.
// Ends: result 1 | error  | time
export default async () => {
  for (let index = 0; index < 16; index++) Object.defineProperty(Array.prototype, index, { set() { throw 1; }, get() { throw 2; }, configurable: true });
  const calls = [
    () => new URLSearchParams("a=b&c=d").sort(), () => new Headers({ a: "b" }), () => new URLPattern({ pathname: "/:a" }).exec("http://x/y"),
    () => structuredClone({ a: 1 }), () => console.log({ a: 1 }), () => console.table({ a: 1 }), () => new Response("x"), () => null.x, () => new URL("x"),
    () => crypto.subtle.digest("x", new Uint8Array(1)), () => fetch("http://x"), () => new Event("x"), () => setTimeout(() => {}, 0),
  ];
  for (let index = 0; index < calls.length; index++) try { calls[index](); } catch (error) { try { String(error.stack); } catch {} }
  for (let index = 0; index < 16; index++) delete Array.prototype[index];
  return 1;
};

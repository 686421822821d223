// Attacks: A clone whose kind is read from a getter on Object.prototype, where V8 allows no code to run.
// Ends: result "ok"
export default () => {
  const brand = Object.getOwnPropertySymbols(Blob.prototype).find((symbol) => symbol.description === "Deno.core.hostObject");
  Reflect.defineProperty(Object.prototype, "type", { get: () => "Blob", set() {}, configurable: true });
  for (let index = 0; index < 9; index++) Object.defineProperty(Array.prototype, index, { get: () => 1, set() {}, configurable: true });
  try { structuredClone({ [brand]: () => ({}) }); } catch {}
  try { structuredClone([{ [brand]: "MessagePort" }], { transfer: [{ [brand]: "MessagePort" }] }); } catch {}
  try { structuredClone(new ArrayBuffer(8), { transfer: [new ArrayBuffer(8), new ArrayBuffer(9)] }); } catch {}
  delete Object.prototype.type;
  for (let index = 0; index < 9; index++) delete Array.prototype[index];
  return "ok";
};

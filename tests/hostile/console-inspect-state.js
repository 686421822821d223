// Attacks: An inspector of the web APIs' kind that replaces the formatter's state.
// Ends: result "ok"
export default () => {
  const keys = [URL, Headers, Blob, Event].flatMap((type) => Reflect.ownKeys(type.prototype)).filter((key) => typeof key === "symbol");
  for (const key of [...keys, Symbol.for("Deno.privateCustomInspect"), Symbol.for("Deno.customInspect")]) {
    const value = {};
    Object.defineProperty(value, key, { value: (...args) => {
      for (const context of args) {
        if (typeof context === "object" && context !== null) context.seen = Object.assign([], { length: 2 ** 32 - 1 });
      }
      return "x";
    } });
    try { console.log([value]); } catch {}
  }
  return "ok";
};

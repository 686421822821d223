// Attacks: Objects that claim to be the engine's own, of a kind that does not exist.
// Ends: result "ok"
export default () => {
  const brands = [Symbol.for("Deno.core.hostObject"), ...Object.getOwnPropertySymbols(Blob.prototype)];
  const clones = [1, () => ({}), () => ({ type: "no" }), () => ({ type: 1 }), () => 1, () => { throw 1; }, () => () => {}];
  for (const brand of brands) {
    for (const clone of clones) {
      for (const value of [{ [brand]: clone }, [{ [brand]: clone }], { get [brand]() { return clone; } }]) {
        try { structuredClone(value); } catch {}
        try { structuredClone(value, { transfer: [value] }); } catch {}
        try { new MessageChannel().port1.postMessage(value); } catch {}
      }
    }
  }
  return "ok";
};

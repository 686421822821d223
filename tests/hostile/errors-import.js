// Attacks: Imports of all kinds of values.
// Ends: result [] | time
export default async () => {
  const names = [];
  for (const specifier of ["./x.js", "x".repeat(1e6), { toString() { throw 1; } }, Symbol("x"), null, "data:text/javascript,1", "file:///hostile.js", "ext:core/ops"]) {
    try { await import(specifier); names.push("ok"); } catch {}
    try { await import("./x.js", { with: { type: specifier } }); names.push("ok"); } catch {}
    try { await import("./x.js", { with: new Proxy({}, { ownKeys: () => ["type"], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }) }) }); } catch {}
  }
  return names;
};

// Attacks: Imports with patched errors.
// Ends: result "object"
export default async () => {
  for (const type of [Error, TypeError, SyntaxError]) {
    Object.defineProperty(type.prototype, "message", { get() { throw 1; }, set() {}, configurable: true });
    Object.defineProperty(type.prototype, "name", { get() { return {}; }, configurable: true });
  }
  Error.stackTraceLimit = 0;
  try { await import("./x.js"); } catch (error) { return typeof error; }
};

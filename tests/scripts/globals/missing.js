// Uses a global of another runtime, also as a property. The error says what it is, and what to do.
const uses = {
  Deno: () => Deno.env.get("HOME"),
  process: () => process.env.HOME,
  Buffer: () => Buffer.from("text"),
  require: () => require("fs"),
  global: () => global.setTimeout,
  setImmediate: () => setImmediate(() => {}),
  __dirname: () => __dirname,
  performance: () => performance.now(),
  navigator: () => navigator.userAgent,
  "globalThis.performance": () => globalThis.performance.now(),
  "globalThis.setImmediate": () => globalThis.setImmediate(() => {}),
  "self.navigator": () => self.navigator.userAgent,
  tailordb: () => new tailordb.Client({ namespace: "main" }),
};

export default ({ name }) => uses[name]();

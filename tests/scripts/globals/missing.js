// Uses a global of another runtime. The error says what it is, and what to do.
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
  tailordb: () => new tailordb.Client({ namespace: "main" }),
};

export default ({ name }) => uses[name]();

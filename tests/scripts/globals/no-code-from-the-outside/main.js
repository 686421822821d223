// No code comes of text, by whatever name.
const attempts = {
  eval: () => (0, eval)("1 + 1"),
  Function: () => new Function("return this")(),
  constructor: () => (() => {}).constructor("return this")(),
  AsyncFunction: () => (async () => {}).constructor("return this")(),
  GeneratorFunction: () => (function* () {}).constructor("return this")(),
  timer: () => setTimeout("globalThis.ran = true"),
};
export default async () => {
  const results = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      results[name] = typeof attempt();
    } catch (error) {
      results[name] = String(error);
    }
  }
  return { ...results, ran: typeof globalThis.ran };
};
export default () => ({
  global: told(() => new Function("return this")() === globalThis),
  evaluated: told(() => (0, eval)("1 + 1")),
  constructor: told(() => (() => {}).constructor("return typeof process")()),
  core: typeof globalThis.__bootstrap,
});

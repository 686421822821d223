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

// No code is made of text, and so none reaches the global scope by it.
const told = (work) => {
  try {
    return work();
  } catch (error) {
    return String(error);
  }
};
export default () => ({
  global: told(() => new Function("return this")() === globalThis),
  evaluated: told(() => (0, eval)("1 + 1")),
  constructor: told(() => (() => {}).constructor("return typeof process")()),
  core: typeof globalThis.__bootstrap,
});

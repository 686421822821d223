// Libraries ask what there is before they use it. An error that is caught has the engine's message.
export default () => ({
  process: typeof process,
  navigator: "navigator" in globalThis,
  global: globalThis.global ?? null,
  caught: (() => { try { return Buffer; } catch ({ name, message }) { return `${name}: ${message}`; } })(),
});

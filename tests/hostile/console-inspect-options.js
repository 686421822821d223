// Attacks: Options of the formatter that make it write or allocate without end.
// Ends: result "ok" | time
// Process-only: the formatter has no check for termination; each of these values takes it up to half a second
export default () => {
  const long = new Array(2 ** 32 - 1);
  const all = [
    { indentationLvl: 2 ** 31 }, { indentationLvl: 2 ** 53 }, { indentationLvl: "1e9" }, { indentLevel: 1e9 }, { seen: long },
    { seen: { length: 2 ** 32 - 1 } }, { quotes: long }, { quotes: [""] }, { budget: long }, { budget: { 0: 1.8e19 } },
    { breakLength: -1 }, { breakLength: NaN }, { compact: 2 ** 40 }, { compact: -1 }, { strAbbreviateSize: 2 ** 53 }, { maxArrayLength: -1 },
    { sorted: () => { throw 1; } }, { getters: true }, { stylize: () => "x".repeat(1e6) }, { userOptions: long }, { depth: 2 ** 40 },
    { currentDepth: 2 ** 40 }, { circular: 1 }, { colors: true, showHidden: true, showProxy: true },
  ];
  const value = { list: [1, { deep: new Map([[1, { deeper: [1, 2, 3] }]]) }], text: "'\"`".repeat(10_000), get getter() { return long; } };
  for (const options of all) {
    class Inspected {
      [Symbol.for("Deno.customInspect")](inspect, context) {
        Object.assign(context, options);
        return inspect(value, options) + inspect(value, { ...context, ...options });
      }
      [Symbol.for("nodejs.util.inspect.custom")](_depth, context, inspect) {
        Object.assign(context, options);
        try { inspect(value, context); } catch {}
        return inspect(value, options);
      }
    }
    try { console.log([new Inspected()]); } catch {}
    try { console.dir(value, options); } catch {}
  }
  return "ok";
};

export default () => {
  const original = {
    date: new Date(0),
    map: new Map([[1, { a: 1 }]]),
    set: new Set(["x"]),
    bytes: new Uint8Array([1, 2]),
    pattern: /a/g,
    big: 10n,
    error: new RangeError("copied"),
    nothing: undefined,
  };
  original.self = original;
  const copy = structuredClone(original);
  console.log(copy.self === copy, copy !== original, copy.map.get(1), copy.error instanceof RangeError, copy.error.message);
  console.log(copy.date, copy.set, copy.bytes, copy.pattern, copy.big, "nothing" in copy);

  for (const value of [() => {}, Symbol("s"), { method() {} }]) {
    try {
      structuredClone(value);
    } catch (error) {
      console.log(error.name, error instanceof DOMException);
    }
  }
};

// V8 15.0 reads a key with an escape as the one of an object before it. The argument arrives as it was sent.
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export default (args) => {
  const { p, q } = args;
  return {
    keys: [Object.keys(p), Object.keys(q)],
    q: [q.u, q["a\n"], q.Y, q["a\\"] ?? null],
    expected: same(args, {
      p: { u: 1, "a\\": 1, Z: 1 },
      q: { u: 2, "a\n": 2, Y: 2 },
      list: [{ u: 3, "\"": [1.5, -0, 1e300, "\\", null, true], 7: "seven" }, [{ plain: {} }]],
      own: args.own,
    }),
    prototype: [Object.hasOwn(args.own, "__proto__"), Object.getPrototypeOf(args.own) === Object.prototype],
    negativeZero: Object.is(args.list[0]["\""][1], -0),
  };
};

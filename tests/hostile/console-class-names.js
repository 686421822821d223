// Attacks: Classes with names that are long, or no texts.
// Ends: result 1
export default async () => {
  for (const name of ["x".repeat(1e6), 1, Symbol("x"), { toString() { throw 1; } }, "\u{1f600}".repeat(1e5)]) {
    class Named { static name = name; }
    class Tagged { get [Symbol.toStringTag]() { return name; } }
    try { console.log(new Named(), Named, new Tagged(), [new Tagged()], Object.assign(() => {}, { name })); } catch {}
  }
  return 1;
};

// Attacks: The formatter of the log, with a hundred lists of a hundred lists of a hundred lists.
// Ends: result "done"
export default () => {
  let nested = [1];
  for (let level = 0; level < 5; level++) nested = Array.from({ length: 100 }, () => [...nested]);
  console.log(nested);
  console.dir(nested, { depth: Infinity, iterableLimit: Infinity });
  class Sly {
    [Symbol.for("Deno.customInspect")](inspect) {
      return inspect(nested, { depth: 100, iterableLimit: 1e9 });
    }
  }
  console.log(new Sly());
  return "done";
};

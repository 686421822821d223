// Attacks: An inspector that inspects itself.
// Ends: result 1
export default async () => {
  class Inspected { [Symbol.for("nodejs.util.inspect.custom")](_depth, options, inspect) { return inspect({ a: new Inspected() }, { ...options, depth: null }); } }
  try { console.log(new Inspected()); } catch (error) { return error.name; }
  return 1;
};

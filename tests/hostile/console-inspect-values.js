// Attacks: An inspector that returns itself, wrapped, without end.
// Ends: result 1
export default async () => {
  class Inspected { [Symbol.for("nodejs.util.inspect.custom")]() { return [new Inspected(), new Inspected()]; } }
  try { console.log(new Inspected()); } catch (error) { return error.name; }
  return 1;
};

// Attacks: An object that only inherits from Error.
// Ends: error 
export default async () => {
  throw Object.create(Error.prototype, { message: { get() { throw 1; } }, stack: { value: 1 } });
};

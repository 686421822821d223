// Attacks: The engine's own call sites, patched.
// Ends: error Error
export default async () => {
  Error.prepareStackTrace = (error, sites) => { Error.prepareStackTrace = undefined; return sites; };
  const [site] = new Error("x").stack;
  let prototype = Object.getPrototypeOf(site);
  while (prototype !== null && prototype !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(prototype)) Reflect.defineProperty(prototype, name, { value: () => ({}), configurable: true });
    prototype = Object.getPrototypeOf(prototype);
  }
  Object.prototype.getFileName = () => { throw 1; };
  const error = new Error("y");
  delete Object.prototype.getFileName;
  throw error;
};

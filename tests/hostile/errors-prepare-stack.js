// Attacks: Stacks that are prepared with what the engine gives.
// Ends: crash
export default async () => {
  const results = [];
  Error.prepareStackTrace = (error, sites) => {
    for (const holder of [Array.prototype, Object.prototype]) {
      for (let index = 0; index < 4; index++) Reflect.defineProperty(holder, index, { get() { throw 1; }, set() { throw 2; }, configurable: true });
    }
    try {
      const site = sites[0];
      for (let round = 0; round < 3; round++) {
        for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(site))) try { results.push(typeof site[name]()); } catch {}
      }
    } catch {}
    for (const holder of [Array.prototype, Object.prototype]) for (let index = 0; index < 4; index++) delete holder[index];
    return "prepared";
  };
  return new Error("x").stack;
};

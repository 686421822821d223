// Attacks: Accessors that cannot be taken away while scripts of the web APIs are loaded.
// Ends: error TypeError
export default () => {
  Object.defineProperty(Array.prototype, "0", { set() { throw new Error("seen"); } });
  return typeof fetch;
};

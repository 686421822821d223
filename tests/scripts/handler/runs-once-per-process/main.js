// A fresh global scope: what one run leaves behind, the next does not find.
export default () => {
  globalThis.count = (globalThis.count ?? 0) + 1;
  return globalThis.count;
};

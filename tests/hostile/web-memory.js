// Attacks: Memory runs out while scripts of the web APIs are loaded.
// Ends: memory
export default () => {
  const kept = [];
  const names = Object.getOwnPropertyNames(globalThis);
  for (let left = 1; ; left += 1) {
    kept.push(new Array(20_000).fill(left + 0.5));
    if (left > 160) globalThis[names.pop()];
  }
};

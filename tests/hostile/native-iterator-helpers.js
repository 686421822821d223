// Attacks: Iterator helpers over an endless iterator.
// Ends: time | memory | buffers
export default async () => {
  const endless = { __proto__: Iterator.prototype, next: () => ({ done: false, value: 1 }) };
  return endless.map((x) => x).filter(() => false).toArray();
};

// Attacks: Dropping the elements of an endless native iterator.
// Ends: time | memory | buffers
export default async () => {
  const list = new Array(2 ** 21).fill(1);
  const endless = { __proto__: Iterator.prototype, get next() { let it = list.values(); return () => { const step = it.next(); if (step.done) it = list.values(); return { done: false, value: 1 }; }; } };
  return endless.drop(Infinity).next();
};

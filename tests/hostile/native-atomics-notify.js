// Attacks: Atomic operations without end.
// Ends: time | memory | buffers
export default async () => {
  const list = new Int32Array(new SharedArrayBuffer(2 ** 20));
  for (;;) Atomics.notify(list, 0, Infinity) + Atomics.compareExchange(list, 0, 0, 1);
};

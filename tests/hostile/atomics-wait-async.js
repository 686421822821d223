// Attacks: Atomics.waitAsync.
// Ends: error Error
export default async () => {
  await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0).value;
};

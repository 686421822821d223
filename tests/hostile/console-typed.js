// Attacks: Typed arrays of all kinds, with options.
// Ends: result 1 | time
// Process-only: the formatter computes a second without a check for termination.
export default async () => {
  for (const type of [Uint8Array, Float64Array, BigInt64Array, DataView]) {
    const buffer = new ArrayBuffer(2 ** 20);
    console.dir(new type(buffer), { showHidden: true, maxArrayLength: Infinity, iterableLimit: Infinity });
  }
  return 1;
};

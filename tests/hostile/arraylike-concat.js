// Attacks: Array.prototype.concat on something said to be as long as can be.
// Ends: error RangeError
export default async () => {
  const o = { length: 2 ** 53 - 1 };
  return [].concat.call([], Object.assign(o, { [Symbol.isConcatSpreadable]: true })) ?? null;
};

// Attacks: A table of a list of columns without end.
// Ends: result 1 | time | memory
// Process-only: the formatter computes a second without a check for termination.
export default async () => {
  console.table([{ a: 1 }], new Array(1e6).fill("a"));
  console.table([{ a: 1 }], Object.assign([], { length: 2 ** 32 - 1 }));
  return 1;
};

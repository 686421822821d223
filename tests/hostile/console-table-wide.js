// Attacks: A table with thousands of columns.
// Ends: result 1 | time
// Process-only: the formatter computes a second without a check for termination.
export default async () => {
  console.table(Array.from({ length: 100 }, (_, row) => Object.fromEntries(Array.from({ length: 100 }, (_, column) => [`${row}-${column}`.padEnd(100), 1]))));
  return 1;
};

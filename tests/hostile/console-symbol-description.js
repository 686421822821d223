// Attacks: Symbols with long descriptions.
// Ends: result 1 | time
// Process-only: the formatter computes a second without a check for termination.
export default async () => {
  const symbol = Symbol("\n'".repeat(2 ** 22));
  console.log(symbol, { [symbol]: symbol });
  return 1;
};

// Attacks: A thousand errors of a thousand errors.
// Ends: error AggregateError | memory | time
export default async () => {
  const inner = () => new AggregateError(Array.from({ length: 300 }, () => new Error("x".repeat(1000))), "inner");
  throw new AggregateError(Array.from({ length: 300 }, inner), "outer");
};

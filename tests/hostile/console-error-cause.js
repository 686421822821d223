// Attacks: Errors whose causes are each other.
// Ends: result 1 | time
export default async () => {
  const one = new Error("one"), other = new Error("other", { cause: one });
  one.cause = other;
  let chain = new Error("end");
  for (let level = 0; level < 10_000; level++) chain = new Error("x", { cause: chain });
  console.log(one, chain, new AggregateError(new Array(10_000).fill(one), "all"));
  return 1;
};

// Attacks: A chain of 100,000 causes.
// Ends: error Error | time
export default async () => {
  let error = new Error("first");
  for (let level = 0; level < 100_000; level++) error = new Error("x", { cause: error });
  throw error;
};

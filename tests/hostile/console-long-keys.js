// Attacks: An object with keys of megabytes.
// Ends: result 1 | time
// Process-only: the formatter computes a second without a check for termination.
export default async () => {
  const object = {};
  for (let index = 0; index < 20; index++) object[`${index}${"x".repeat(2 ** 20)}`] = 1;
  console.log(object);
  return 1;
};

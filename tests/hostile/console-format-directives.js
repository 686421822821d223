// Attacks: Directives without end.
// Ends: result 1 | time
export default async () => {
  console.log("%o%O%d%i%f%s%c%%".repeat(1e5), ...new Array(1e4).fill({ a: [1, 2, 3] }));
  return 1;
};

// Attacks: An array that grows while it is printed.
// Ends: result 1 | memory | time
export default async () => {
  const list = [{ [Symbol.for("nodejs.util.inspect.custom")]() { for (let index = 0; index < 1e6; index++) list.push([index]); return "x"; } }];
  for (let index = 0; index < 50; index++) list.push({ index });
  console.log(list);
  return 1;
};

export default () => {
  console.table([
    { name: "ana", age: 42 },
    { name: "bo", disabled: true },
  ]);
  console.table([{ name: "ana", age: 42 }], ["age"]);
  console.table([
    [1, 2],
    [3, 4],
  ]);
  console.table(new Map([["a", 1]]));
  console.table({ x: { y: 1 } });
  console.table("no table");
};

export default () => {
  console.assert(true, "never");
  console.assert(false);
  console.assert(false, "one is not two:", 1, 2);
  console.assert(0, "%s failed", "it");
  console.assert(false, { a: 1 });
};

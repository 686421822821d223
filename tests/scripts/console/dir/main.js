export default () => {
  console.dir({ a: { b: { c: { d: { e: 1 } } } } });
  console.dir({ a: { b: { c: { d: { e: 1 } } } } }, { depth: 0 });
  console.dir("text");
  console.dirxml({ a: 1 });
};

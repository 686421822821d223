// What would be thousands of lines is not printed.
export default () => {
  const wide = Array.from({ length: 200 }, () => Array.from({ length: 200 }, (_, i) => i));
  console.log("before", Array.from({ length: 100 }, () => wide), "after");
  console.table(Array.from({ length: 30_000 }, () => ({ a: 1 })));
  console.dir(wide, { depth: 0 });
};

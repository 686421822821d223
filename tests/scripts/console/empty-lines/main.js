// An empty line is a line.
export default () => {
  console.log("");
  console.log();
  console.warn("\n");
  console.log("a\n");
  console.log("b");
};

// The script's own console functions, and patched built-ins.
const lines = [];
const { log } = console;
console.log = (...args) => lines.push(args.join(" "));
Array.prototype.map = String.prototype.replace = () => {
  throw new Error("patched");
};

export default () => {
  console.log("kept", 1);
  log("sent", { a: [1, 2] }, "%s", new Map([[1, 2]]));
  return lines;
};

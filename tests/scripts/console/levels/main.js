// Every level goes to stderr, in order; the result alone goes to stdout.
export default () => {
  console.debug("debug");
  console.log("log");
  console.info("info");
  console.warn("warn");
  console.error("error");
  console.log();
  console.log("");
  console.log("two\nlines");
  console.log("several", "arguments", 1, true, null, undefined);
  return "result";
};

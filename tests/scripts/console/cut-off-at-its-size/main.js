// The limit on the text of the log is 8 MiB.
export default () => {
  const line = "x".repeat(1024 * 1024);
  for (let count = 0; count < 8; count++) console.log(line);
  console.log("beyond");
  console.log("");
  return "done";
};

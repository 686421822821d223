// Attacks: The formatter of the log, with a table of a million rows.
// Ends: result "done"
export default () => {
  console.table(new Array(1_000_000).fill({ a: 1, b: 2 }));
  return "done";
};

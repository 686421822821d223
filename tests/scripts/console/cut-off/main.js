// What is logged beyond the limit is cut off with a line that says so. The script goes on.
export default () => {
  for (let line = 1; line <= 10_005; line++) console.log(line);
  return "done";
};

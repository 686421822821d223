export default () => {
  console.group("outer");
  console.log("one");
  console.group();
  console.warn("two\nlines");
  console.groupEnd();
  console.log({ a: 1 });
  console.groupEnd();
  console.groupEnd();
  console.groupCollapsed("again");
  console.log("three");
  console.groupEnd();
  console.log("outside");
};

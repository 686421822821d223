export default () => {
  console.log("%s is %d years and %i months old", "Ana", 42.5, 7.9);
  console.log("%f", "1.25");
  console.log("%o and %O", { a: { b: {} } }, [1, [2]]);
  console.log("%j", { a: 1 });
  console.log("%c styled %c plain", "color: red", "");
  console.log("100%", "%% and %x", "%s");
  console.log("%s");
  console.log("%s", "one", "more", { a: 1 });
  console.log("%d %i %f", "text", "text", "text");
  console.log("%s", Symbol("s"), 10n, null, undefined);
  console.log(1, "%s", "no format");
};

export default () => {
  console.time("work");
  console.timeLog("work", "half way", { done: 1 });
  console.timeEnd("work");
  console.timeEnd("work");
  console.time();
  console.timeEnd();
};

export default async () => {
  const order = [];
  setTimeout((...args) => order.push("timeout", ...args), 5, "with", "arguments");
  setTimeout(() => order.push("zero"));
  const never = setTimeout(() => order.push("never"), 1);
  clearTimeout(never);
  clearTimeout(undefined);
  clearTimeout(12345);
  let ticks = 0;
  const twoTicks = new Promise((resolve) => {
    const interval = setInterval(() => {
      if (++ticks === 2) {
        clearInterval(interval);
        resolve(typeof interval);
      }
    }, 10);
  });
  queueMicrotask(() => order.push("microtask"));
  Promise.resolve().then(() => order.push("then"));
  order.push("sync");
  console.log(await twoTicks, ticks, order);
  try {
    queueMicrotask("no function");
  } catch (error) {
    console.log(error.name);
  }
};

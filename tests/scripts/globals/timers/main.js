export default async () => {
  const order = [];
  const done = new Promise((resolve) => setTimeout(resolve, 30));
  setTimeout((...args) => order.push("timeout", ...args), 5, "with", "arguments");
  setTimeout(() => order.push("zero"));
  const never = setTimeout(() => order.push("never"), 1);
  clearTimeout(never);
  clearTimeout(undefined);
  clearTimeout(12345);
  let ticks = 0;
  const interval = setInterval(() => {
    order.push(`tick ${++ticks}`);
    if (ticks === 2) clearInterval(interval);
  }, 10);
  queueMicrotask(() => order.push("microtask"));
  Promise.resolve().then(() => order.push("then"));
  order.push("sync");
  await done;
  console.log(order.filter((entry) => !entry.startsWith("tick")), ticks, typeof interval);
  try {
    queueMicrotask("no function");
  } catch (error) {
    console.log(error.name);
  }
};

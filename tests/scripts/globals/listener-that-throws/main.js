// Other listeners still run; the exception ends the script, since nobody can catch it.
export default async () => {
  const target = new EventTarget();
  target.addEventListener("greet", () => {
    throw new Error("from a listener");
  });
  target.addEventListener("greet", () => console.log("the second listener"));
  console.log("dispatched", target.dispatchEvent(new Event("greet")));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return "never";
};

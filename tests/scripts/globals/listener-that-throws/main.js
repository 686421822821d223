// Nobody can catch the exception: it ends the script, and is told.
export default async () => {
  const target = new EventTarget();
  target.addEventListener("greet", () => {
    throw new Error("from a listener");
  });
  target.dispatchEvent(new Event("greet"));
  await new Promise((resolve) => setTimeout(resolve, 5000));
  return "never";
};

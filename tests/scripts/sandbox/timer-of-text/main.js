// A timer takes no text for code: that is an error like any other in a timer.
export default async () => {
  globalThis.fired = () => console.log("ran");
  setTimeout("fired()", 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
};

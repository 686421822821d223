export default async () => {
  const controller = new AbortController();
  const { signal } = controller;
  signal.addEventListener("abort", () => console.log("aborted:", signal.reason.name));
  console.log(signal.aborted);
  controller.abort();
  controller.abort("again");
  console.log(signal.aborted, signal.reason instanceof DOMException);
  try {
    signal.throwIfAborted();
  } catch (error) {
    console.log(error === signal.reason, error.name, error.code);
  }
  console.log(AbortSignal.abort("why not").reason);
  console.log(AbortSignal.any([new AbortController().signal, signal]).aborted);

  const timeout = AbortSignal.timeout(1);
  await new Promise((resolve) => timeout.addEventListener("abort", resolve));
  console.log(timeout.reason.name);
};

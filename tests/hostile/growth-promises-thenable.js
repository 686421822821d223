// Attacks: Promises of promises.
// Ends: time | memory | buffers
export default async () => {
  let promise = new Promise(() => {});
  for (;;) promise = Promise.all([promise, promise]);
};

// A handler that is attached before the event loop turns is in time.
export default async () => {
  const promise = Promise.reject(new Error("seen"));
  await null;
  await null;
  return await promise.catch((error) => error.message);
};

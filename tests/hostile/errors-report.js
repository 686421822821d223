// Attacks: Errors that are thrown in timers and listeners.
// Ends: error 
export default async () => {
  setTimeout(() => { throw Object.create(Error.prototype, { message: { get() { throw 1; } } }); }, 0);
  new AbortController().signal.addEventListener("abort", () => { throw 1; });
  await new Promise((done) => setTimeout(done, 50));
};

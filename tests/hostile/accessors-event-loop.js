// Attacks: Timers and promises while prototypes have accessors.
// Ends: error TypeError
export default async () => {
  for (const holder of [Array.prototype, Object.prototype]) for (let index = 0; index < 8; index++) Object.defineProperty(holder, index, { set() {}, get() {}, configurable: true });
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => {};
  port1.postMessage({ a: 1 });
  Promise.reject(new Error("x")).catch(() => {});
  await new Promise((done) => setTimeout(done, 5));
  await crypto.subtle.digest("SHA-256", new Uint8Array(1));
  port1.close();
  return 1;
};

// Attacks: Rejections with a patched constructor.
// Ends: error Error | result 1
export default async () => {
  Object.defineProperty(Promise.prototype, "constructor", { get() { throw new Error("constructor"); }, configurable: true });
  Promise.prototype.then = () => { throw new Error("then"); };
  try { await crypto.subtle.digest("SHA-256", new Uint8Array(1)); } catch {}
  try { await new Response("x").text(); } catch {}
  delete Promise.prototype.constructor;
  return 1;
};

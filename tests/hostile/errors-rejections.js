// Attacks: Rejections with all kinds of reasons, unhandled.
// Ends: error 
export default async () => {
  for (const reason of [null, undefined, 1n, Symbol("x"), Object.create(null), new Proxy({}, {}), () => {}, new Proxy(Error, {})]) Promise.reject(reason);
  await new Promise((done) => setTimeout(done, 0));
};

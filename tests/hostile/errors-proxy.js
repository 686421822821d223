// Attacks: A proxy of an error.
// Ends: error 
export default async () => {
  throw new Proxy(new Error("x"), { get() { throw new Error("get"); }, getPrototypeOf() { throw new Error("proto"); }, has() { throw 1; } });
};

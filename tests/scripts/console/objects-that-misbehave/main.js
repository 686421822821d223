// What cannot be shown does not end the script.
export default () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const trap = () => {
    throw new Error("from a trap");
  };
  console.log(new Proxy({ a: 1 }, { get: trap, ownKeys: trap, getPrototypeOf: trap }));
  console.log("revoked:", typeof proxy);
  console.log({ toString: trap, toJSON: trap, [Symbol.toPrimitive]: trap } !== null);
  console.log("%s", { toString: () => "its own text" });
  let deep = {};
  for (let depth = 0; depth < 100_000; depth++) {
    deep = { deep };
  }
  console.log(deep);
  return "still there";
};

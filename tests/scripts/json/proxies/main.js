// A proxy is what its traps say.
export default () => ({
  object: new Proxy({ a: 1 }, {}),
  array: new Proxy([1, 2], {}),
  made: new Proxy(
    {},
    {
      ownKeys: () => ["x", "y"],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
      get: (_, key) => (key === "toJSON" ? undefined : `made ${key}`),
    },
  ),
});

export default () =>
  new Proxy(
    {},
    {
      ownKeys() {
        throw new RangeError("no keys");
      },
    },
  );

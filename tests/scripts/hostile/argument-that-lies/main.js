// Arguments that change while they are read, or that throw what is no error.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  let reads = 0;
  const { name } = await idp.createUser({
    get name() {
      return reads++ === 0 ? "ana@example.com" : 42;
    },
  });
  console.log(name, reads);

  const thrown = [undefined, null, "text", 42, { code: "NOT_FOUND" }, new RangeError("an error")];
  for (const value of thrown) {
    const query = {
      get ids() {
        throw value;
      },
    };
    const same = await idp.users({ query }).then(
      () => "listed",
      (error) => error === value,
    );
    console.log(String(value), same);
  }

  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  for (const input of [revoked.proxy, { query: revoked.proxy }, { query: { ids: revoked.proxy } }]) {
    const error = await idp.users(input).catch((error) => error);
    console.log(error instanceof Error);
  }

  const ids = ["ghost"];
  Object.defineProperty(ids, 1, { get: () => ids.push("ghost") && "ghost" });
  console.log((await idp.users({ query: { ids } })).totalCount);

  const toString = { toString: () => "ana@example.com", [Symbol.toPrimitive]: () => "ana@example.com" };
  console.log((await idp.userByName(toString).catch((error) => error)).code);
};

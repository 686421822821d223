// No stacks, odd limits, no limit at all: the rejection is the same.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const limit of [0, 1, -1, NaN, Infinity, "10", null, undefined, {}]) {
    Error.stackTraceLimit = limit;
    for (const userId of ["ghost", 42]) {
      const { code, message } = await idp.user(userId).catch((error) => error);
      console.log(limit, code, message.startsWith("user failed: code: '"));
    }
  }
  Object.defineProperty(Error, "stackTraceLimit", {
    get() {
      throw new Error("patched limit");
    },
  });
  const { code } = await idp.user("ghost").catch((error) => error);
  return code;
};

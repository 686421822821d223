// Getters run once each, in the script; one that throws rejects the call with what it threw.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const reads = [];
  const input = new Proxy(
    { name: "ana@example.com" },
    {
      get(target, key) {
        reads.push(key);
        return target[key];
      },
    },
  );
  const { name } = await idp.createUser(input);
  const error = await idp
    .createUser({
      get name() {
        throw new RangeError("the getter's own");
      },
    })
    .catch((error) => error);
  return { name, reads, thrown: String(error) };
};

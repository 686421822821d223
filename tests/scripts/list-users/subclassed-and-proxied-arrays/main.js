// A filter is an array as Array.isArray has it.
class Names extends Array {}

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  await idp.createUser({ name: "ana@example.com" });
  await idp.createUser({ name: "bo@example.com" });
  const filters = [
    Names.of("ana@example.com"),
    new Proxy(["ana@example.com"], {}),
    Object.assign(["ana@example.com"], { extra: 1 }),
  ];
  const counts = [];
  for (const names of filters) {
    counts.push((await idp.users({ query: { names } })).totalCount);
  }
  return counts;
};

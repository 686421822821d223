// 1000 entries pass, duplicates counted; 1001 do not.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  const ids = Array(1000).fill(id);
  const names = Array.from({ length: 1000 }, (_, index) => `user-${index}@example.com`);
  const { users } = await idp.users({ query: { ids } });
  const { totalCount } = await idp.users({ query: { ids, names } });
  console.log(users.length, totalCount);
  for (const query of [{ ids: [...ids, id] }, { names: [...names, "ana@example.com"] }, { ids: Array(5000).fill("ghost") }]) {
    await idp.users({ query }).catch((error) => console.log(`${error.code} ${error.message}`));
  }
};

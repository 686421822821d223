// 1,000 calls run at a time. The others wait for their turn, and all are answered.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = Array.from({ length: 1500 }, (_, index) => `user-${index}@example.com`);
  const created = await Promise.all(names.map((name) => idp.createUser({ name })));
  const { users } = await idp.users({ first: 1000 });
  return {
    created: created.every((user, index) => user.name === names[index]),
    firstPageIsOfThoseCalledFirst: users.every((user, index) => user.name === names[index]),
  };
};

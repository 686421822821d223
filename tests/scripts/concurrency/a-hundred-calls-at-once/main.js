export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = Array.from({ length: 100 }, (_, index) => `user-${index}@example.com`);
  const created = await Promise.all(names.map((name) => idp.createUser({ name })));
  console.log("in order:", created.every((user, index) => user.name === names[index]));
  console.log("ids:", new Set(created.map((user) => user.id)).size);

  const read = await Promise.all(created.map((user) => idp.user(user.id)));
  console.log("read:", read.every((user, index) => user.name === names[index]));

  const mixed = await Promise.all([
    ...created.slice(0, 50).map((user) => idp.deleteUser(user.id)),
    ...created.slice(50).map((user) => idp.updateUser({ id: user.id, disabled: true })),
  ]);
  console.log("changed:", mixed.length);
  const { users, totalCount } = await idp.users({ first: 1000 });
  return { totalCount, disabled: users.filter((user) => user.disabled).length };
};

// Plain JavaScript, as a bundler leaves it: checked all the same.

/** @param {{ domain: string, names: string[] }} args */
export default async ({ domain, names }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const users = await Promise.all(names.map((name) => idp.createUser({ name: `${name}@${domain}` })));
  const [first] = users;
  if (first) {
    await idp.updateUser({ id: first.id, disabled: !first.disabled });
    await idp.sendPasswordResetEmail({ userId: first.id, redirectUri: `https://${domain}/reset` });
  }
  const { totalCount } = await idp.users({ first: 1, query: { ids: users.map((user) => user.id) } });
  return { totalCount, ids: users.map(({ id }) => id) };
};

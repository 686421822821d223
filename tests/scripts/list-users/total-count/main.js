// totalCount counts what the query matches, whatever the page, and is up to date.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const ids = [];
  for (let index = 0; index < 5; index++) {
    ids.push((await idp.createUser({ name: `user-${index}@example.com` })).id);
  }
  const count = async (options) => {
    const { users, totalCount } = await idp.users(options);
    return `${users.length} of ${totalCount}`;
  };
  console.log(await count());
  console.log(await count({ first: 2 }));
  console.log(await count({ first: 2, after: (await idp.users({ first: 4 })).nextPageToken }));
  console.log(await count({ first: 1, query: { ids: ids.slice(0, 3) } }));
  console.log(await count({ first: 1, query: { ids: ids.slice(0, 3), names: ["user-2@example.com"] } }));
  await idp.deleteUser(ids[0]);
  console.log(await count());
  console.log(await count({ first: 1, query: { ids } }));
  await idp.updateUser({ id: ids[1], disabled: true });
  console.log(await count());
};

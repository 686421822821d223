// While pages are walked, users before and behind the walk are deleted and created, the one at the boundary included.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const id = {};
  const create = async (who) => {
    id[who] = (await idp.createUser({ name: `${who}@example.com` })).id;
  };
  for (let index = 0; index < 12; index++) {
    await create(`u${index}`);
  }
  const between = [
    async () => {
      await idp.deleteUser(id.u0);
      await create("new0");
    },
    async () => {
      // The last user of the page that was just read: the walk goes on behind where it was.
      await idp.deleteUser(id.u5);
      await idp.deleteUser(id.u6);
    },
    () => create("new1"),
    () => idp.deleteUser(id.new0),
  ];

  const seen = [];
  for (let after; after !== null; ) {
    const { users, nextPageToken, totalCount } = await idp.users({ first: 3, after });
    const names = users.map((user) => user.name.split("@")[0]);
    console.log(`${names.join(" ")} (of ${totalCount})`);
    seen.push(...names);
    after = nextPageToken;
    await between.shift()?.();
  }
  const throughout = ["u1", "u2", "u3", "u4", "u7", "u8", "u9", "u10", "u11"];
  return throughout.every((who) => seen.filter((name) => name === who).length === 1);
};

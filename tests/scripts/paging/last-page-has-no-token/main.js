// Four users: the token is null on the last page and only there, on exact page boundaries as well.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = ["ana", "bo", "cy", "di"].map((who) => `${who}@example.com`);
  for (const name of names) {
    await idp.createUser({ name });
  }
  for (const query of [undefined, { names }, { names: names.slice(0, 2) }]) {
    for (const first of [1, 2, 3, 4, 5]) {
      const pages = [];
      for (let after; after !== null; ) {
        const { users, nextPageToken } = await idp.users({ first, after, query });
        pages.push(users.length);
        after = nextPageToken;
      }
      console.log(`first ${first}: pages of ${pages.join(", ")}`);
    }
  }
};

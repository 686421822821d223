// Order, duplicates and the case of e-mails make no other query: its tokens go on.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = ["ana@example.com", "bo@example.com", "cy@example.com"];
  for (const name of names) {
    await idp.createUser({ name });
  }
  const { nextPageToken } = await idp.users({ first: 1, query: { names } });
  const spellings = [names.toReversed(), [...names, ...names], names.map((name) => name.toUpperCase())];
  const pages = [];
  for (const spelling of spellings) {
    const { users } = await idp.users({ first: 1, after: nextPageToken, query: { names: spelling } });
    pages.push(users.map((user) => user.name));
  }
  return pages;
};

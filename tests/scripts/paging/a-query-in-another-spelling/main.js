// Order, duplicates and spellings of e-mails make no other query, nor what is left out or undefined: its tokens go on.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = ["ana@example.com", "bo@example.com", "cy@example.com"];
  const ids = [];
  for (const name of names) {
    ids.push((await idp.createUser({ name })).id);
  }
  const shouted = names.map((name) => name.toUpperCase());
  const groups = [
    [{ names }, { names: names.toReversed() }, { names: [...shouted, ...names] }, { names: shouted, ids: undefined }],
    [{ ids }, { ids: ids.toReversed() }, { ids: [...ids, ...ids] }],
    [{ ids, names }, { names: shouted.toReversed(), ids: ids.toReversed() }],
    [undefined, {}, { ids: undefined, names: undefined }],
  ];
  const pages = [];
  for (const [query, ...spellings] of groups) {
    const { nextPageToken: after } = await idp.users({ first: 1, query });
    for (const spelling of spellings) {
      const { users } = await idp.users({ first: 1, after, query: spelling });
      pages.push(users.map((user) => user.name).join(" "));
    }
  }
  return pages;
};

// All options are optional, and undefined is as good as left out; other keys do not matter.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  const name = "ana@example.com";
  const forms = [
    [],
    [undefined],
    [{}],
    [{ first: undefined, after: undefined, query: undefined }],
    [{ query: {} }],
    [{ query: { ids: undefined, names: undefined } }],
    [{ first: 1 }],
    [{ first: 1000 }],
    [{ first: 1.0, query: { ids: [id] } }],
    [{ query: { names: [name] } }],
    [{ query: { ids: [id], names: [name] } }],
    [{ last: -1, before: null, filter: "x", query: { emails: 42 } }],
    [Object.freeze({ query: Object.freeze({ ids: Object.freeze([id]) }) })],
  ];
  const found = [];
  for (const form of forms) {
    const { users, nextPageToken, totalCount } = await idp.users(...form);
    found.push(users.length === 1 && users[0].id === id && nextPageToken === null && totalCount === 1);
  }
  return found;
};

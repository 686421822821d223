// Attacks: An argument that nests deep.
// Ends: result {"users":[],"nextPageToken":null,"totalCount":0}
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  let o = {};
  for (let i = 0; i < 1e5; i++) o = { o };
  return idp.users({ query: o }).catch((e) => e.name);
};

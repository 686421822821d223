// The users that a token promised have been deleted since: the page is empty, and the last.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const ids = [];
  for (const who of ["ana", "bo", "cy"]) {
    ids.push((await idp.createUser({ name: `${who}@example.com` })).id);
  }
  const { nextPageToken } = await idp.users({ first: 1 });
  await Promise.all(ids.map((id) => idp.deleteUser(id)));
  return await idp.users({ first: 1, after: nextPageToken });
};

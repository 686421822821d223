// A token is no cursor that moves: the same token gives the same page, with another page size as well.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const who of ["ana", "bo", "cy", "di"]) {
    await idp.createUser({ name: `${who}@example.com` });
  }
  const { nextPageToken: after } = await idp.users({ first: 1 });
  const names = async (first) => (await idp.users({ first, after })).users.map((user) => user.name).join(" ");
  const other = new tailor.idp.Client("builtin-idp");
  return [await names(2), await names(2), await names(1), await names(), (await other.users({ after })).users.length];
};

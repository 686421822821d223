// `nextPageToken` goes back as it came, the `null` of the last page too: it is as if `after` were left out.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const name of ["ana@example.com", "bo@example.com", "cy@example.com"]) await idp.createUser({ name });
  const pages = [];
  let after = null;
  do {
    const page = await idp.users({ first: 2, after });
    pages.push(page.users.map(({ name }) => name));
    after = page.nextPageToken;
  } while (after !== null);
  return pages;
};

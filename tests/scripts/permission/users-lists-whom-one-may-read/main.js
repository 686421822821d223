// The page is full of those whom one may read, and they alone are counted.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

export default async () => {
  const shown = ({ users, totalCount, nextPageToken }) => {
    console.log(users.map(({ name }) => name).join(" ") || "nobody", totalCount, nextPageToken !== null);
    return nextPageToken;
  };
  const after = shown(await idp.users({ first: 2 }));
  shown(await idp.users({ first: 2, after }));
  shown(await idp.users({ query: { names: ["ana@example.com", "bo@example.com", "eve@example.com"] } }));
  shown(await idp.users({ query: { names: ["bo@example.com"] } }));
  await attempt("userByName", () => idp.userByName("bo@example.com"));
  await attempt("userByName, of nobody", () => idp.userByName("nobody@example.com"));
};

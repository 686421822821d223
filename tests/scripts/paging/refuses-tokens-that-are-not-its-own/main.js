// Made up, tampered with, or of another query: INVALID_ARGUMENT each time, and no page.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = ["ana@example.com", "bo@example.com", "cy@example.com"];
  const ids = [];
  for (const name of names) {
    ids.push((await idp.createUser({ name })).id);
  }
  const { nextPageToken: token } = await idp.users({ first: 1 });
  const { nextPageToken: filtered } = await idp.users({ first: 1, query: { names } });
  const swapped = token.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  const flipped = token.slice(0, 10) + (token[10] === "x" ? "y" : "x") + token.slice(11);

  const attempts = {
    empty: { after: "" },
    word: { after: "2" },
    anId: { after: ids[0] },
    base64: { after: btoa("after the first") },
    lastCharacter: { after: swapped },
    innerCharacter: { after: flipped },
    shortened: { after: token.slice(0, -1) },
    lengthened: { after: `${token}A` },
    padded: { after: `${token}=` },
    spaced: { after: ` ${token}` },
    upperCased: { after: token.toUpperCase() },
    unicode: { after: "nächste" },
    withAQuery: { after: token, query: { names } },
    withoutItsQuery: { after: filtered },
    withLessOfItsQuery: { after: filtered, query: { names: names.slice(1) } },
    asIdsInsteadOfNames: { after: filtered, query: { ids: names } },
    withMoreOfAQuery: { after: filtered, query: { names, ids } },
  };
  const messages = new Set();
  for (const [attempt, options] of Object.entries(attempts)) {
    const error = await idp.users(options).then(
      () => "listed!",
      (error) => error,
    );
    console.log(`${attempt}: ${error.code}`);
    messages.add(error.message);
  }
  return [...messages];
};

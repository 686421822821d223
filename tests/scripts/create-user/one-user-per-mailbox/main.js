// Case, composition, width, ignored characters and the two forms of an internationalised domain: one mailbox, one user.
const spellings = {
  "ana@example.com": ["Ana@Example.COM", "ana@ｅxample.com", "ANA@ＥＸＡＭＰＬＥ．ＣＯＭ", "ana@exam\u00adple。com"],
  "x@xn--bcher-kva.example": ["x@bücher.example", "X@BÜCHER.Example", "x@bu\u0308cher.example", "x@XN--BCHER-KVA.example"],
  "caf\u00e9@example.com": ["cafe\u0301@example.com", "CAFE\u0301@ｅxample.com"],
};

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const [expected, [first, ...others]] of Object.entries(spellings)) {
    const { id, name } = await idp.createUser({ name: first });
    console.log("created", name, name === expected);
    for (const name of [first, ...others, expected]) {
      const found = await idp.userByName(name);
      const { users, totalCount } = await idp.users({ query: { names: [name] } });
      console.log(found.id === id, users[0].id === id, totalCount);
      await idp.createUser({ name }).catch((error) => console.log(error.message));
    }
    const { name: same } = await idp.updateUser({ id, name: others.at(-1) });
    console.log("updated", same === expected);
  }
  // Queries that mean the same share page tokens.
  const { nextPageToken } = await idp.users({ first: 1, query: { names: ["ana@ｅxample.com", "x@bücher.example"] } });
  const names = ["X@xn--bcher-kva.example", "ANA@example.com", "ana@example.com"];
  const { users } = await idp.users({ first: 1, after: nextPageToken, query: { names } });
  console.log(users.map(({ name }) => name));

  // Quotes would make another spelling. What cannot be mapped is no domain.
  for (const name of ['"ana"@example.com', "ana@exa_mple.com", "ana@xn--a.example", "ana@-a.example", "ana＠example.com"]) {
    await idp.createUser({ name }).catch((error) => console.log(error.message));
  }
};

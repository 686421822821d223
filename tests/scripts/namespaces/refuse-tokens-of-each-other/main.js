export default async () => {
  const clients = ["staff", "customers"].map((namespace) => new tailor.idp.Client({ namespace }));
  const tokens = [];
  for (const client of clients) {
    await client.createUser({ name: "ana@example.com" });
    await client.createUser({ name: "bo@example.com" });
    tokens.push((await client.users({ first: 1 })).nextPageToken);
  }
  for (const client of clients) {
    for (const after of tokens) {
      await client.users({ after }).then(
        ({ users }) => console.log(users.map((user) => user.name)),
        (error) => console.log(`${error.code} ${error.message}`),
      );
    }
  }
};

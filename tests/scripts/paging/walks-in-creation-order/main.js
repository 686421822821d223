export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const who of ["zoe", "ana", "mo", "bo", "yu"]) {
    await idp.createUser({ name: `${who}@example.com` });
  }
  // A new name does not move a user.
  const { id } = await idp.userByName("mo@example.com");
  await idp.updateUser({ id, name: "aaron@example.com" });

  let after;
  do {
    const { users, nextPageToken } = await idp.users({ first: 2, after });
    console.log(users.map((user) => user.name).join(", "));
    after = nextPageToken;
  } while (after !== null);
};

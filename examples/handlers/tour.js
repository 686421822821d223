// Demonstrates the client: creates users, lists them page by page, updates one, deletes one.
export default async ({ domain = "example.com" }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });

  for (const who of ["ana", "bo", "chi"]) {
    const user = await idp.createUser({ name: `${who}@${domain}`, password: `${who} likes long passwords` });
    console.log(`created ${user.name}`);
  }

  const names = [];
  let after;
  do {
    const page = await idp.users({ first: 2, after });
    names.push(...page.users.map((user) => user.name));
    console.log(`read ${page.users.length} of ${page.totalCount} users`);
    after = page.nextPageToken ?? undefined;
  } while (after !== undefined);

  const ana = await idp.userByName(`ana@${domain}`);
  const renamed = await idp.updateUser({ id: ana.id, name: `ana.maria@${domain}`, disabled: true });
  console.log(`renamed ${ana.name} to ${renamed.name}, and disabled her`);

  const bo = await idp.userByName(`bo@${domain}`);
  await idp.deleteUser(bo.id);
  console.log(`deleted ${bo.name}`);

  try {
    await idp.user(bo.id);
  } catch (error) {
    console.log(`looking for ${bo.name} again: ${error.code}`);
  }

  const { totalCount } = await idp.users();
  return { created: names, renamed, totalCount };
};

// Deletes all disabled users, page by page. A dry run unless the argument is { "really": true }.
export default async ({ really = false }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const deleted = [];
  let after;
  do {
    const page = await idp.users({ first: 100, after });
    const disabled = page.users.filter((user) => user.disabled);
    if (really) await Promise.all(disabled.map((user) => idp.deleteUser(user.id)));
    deleted.push(...disabled.map((user) => user.name));
    after = page.nextPageToken ?? undefined;
  } while (after !== undefined);
  console.log(`${really ? "deleted" : "would delete"} ${deleted.length} users`);
  return deleted;
};

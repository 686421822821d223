// Listing: the walk over the pages, and every form of the query.
export default async (): Promise<Record<string, number>> => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });

  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page: tailor.idp.ListUsersResponse = await idp.users({ first: 1000, after });
    seen.push(...page.users.map((user) => user.name));
    after = page.nextPageToken ?? undefined;
  } while (after !== undefined);

  await idp.users();
  await idp.users(undefined);
  await idp.users({});
  await idp.users({ first: undefined, after: undefined, query: undefined });
  await idp.users({ query: {} });
  await idp.users({ query: { ids: [], names: undefined } });
  const query: tailor.idp.UserQuery = { ids: ["a"], names: ["ana@example.com"] };
  const options: tailor.idp.ListUsersOptions = { first: 10, query };
  const { users, totalCount, nextPageToken } = await idp.users(options);

  const created: string | undefined = users[0]?.createdAt;
  const token: string | null = nextPageToken;
  const flags: boolean[] = users.flatMap((user) => [user.disabled, user.mfaEnrolled]);
  return { seen: seen.length, totalCount, flags: flags.length, token: token?.length ?? 0, created: created?.length ?? 0 };
};

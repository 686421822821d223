export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  await Promise.all(Array.from({ length: 101 }, (_, index) => idp.createUser({ name: `user-${index}@example.com` })));
  const one = await idp.users();
  const two = await idp.users({ after: one.nextPageToken });
  return [one, two].map(({ users, nextPageToken, totalCount }) => ({
    users: users.length,
    last: nextPageToken === null,
    totalCount,
  }));
};

// Of many creates of one name at once exactly one succeeds, whatever the case of the name.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const other = new tailor.idp.Client("builtin-idp");
  const names = ["ana@example.com", "Ana@example.com", "ANA@EXAMPLE.COM", "ana@Example.com"];
  const ends = await Promise.allSettled(names.flatMap((name) => [idp.createUser({ name }), other.createUser({ name })]));
  const { totalCount } = await idp.users();
  return { ends: ends.map((end) => end.value?.name ?? end.reason.code).sort(), totalCount };
};

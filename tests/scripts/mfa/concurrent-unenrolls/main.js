// Two at once: one takes the factor, the other finds none.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId, mfaFactorIds } = await idp.userByName("ana@example.com");
  const input = { userId, mfaFactorId: mfaFactorIds[0] };
  const ends = await Promise.allSettled([idp.unenrollMfa(input), idp.unenrollMfa(input)]);
  return ends.map((end) => end.value ?? end.reason.code).sort();
};

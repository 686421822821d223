export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  const ends = await Promise.allSettled([idp.deleteUser(id), idp.deleteUser(id), idp.deleteUser(id)]);
  return ends.map((end) => end.value ?? end.reason.code).sort();
};

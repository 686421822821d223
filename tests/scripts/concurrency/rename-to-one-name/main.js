// Of many users that take one name at once exactly one gets it; the others stay as they were.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const users = await Promise.all(["ana", "bo", "cy", "di"].map((who) => idp.createUser({ name: `${who}@example.com` })));
  const ends = await Promise.allSettled(
    users.map(({ id }) => idp.updateUser({ id, name: "boss@example.com", disabled: true })),
  );
  const after = (await idp.users()).users;
  return {
    ends: ends.map((end) => end.value?.name ?? end.reason.code).sort(),
    bosses: after.filter((user) => user.name === "boss@example.com").length,
    disabled: after.filter((user) => user.disabled).length,
  };
};

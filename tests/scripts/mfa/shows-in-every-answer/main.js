// Listings, look-ups and updates tell of the factors.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { users } = await idp.users();
  const { id } = users[0];
  const answers = [
    users[0],
    await idp.user(id),
    await idp.userByName("ana@example.com"),
    await idp.updateUser({ id, disabled: true }),
  ];
  for (const { mfaEnrolled, mfaFactorIds } of answers) {
    console.log(mfaEnrolled, mfaFactorIds.length, typeof mfaFactorIds[0]);
  }
  // A user that is gone takes the factors along.
  await idp.deleteUser(id);
  await idp.createUser({ name: "ana@example.com" });
  return (await idp.userByName("ana@example.com")).mfaFactorIds;
};

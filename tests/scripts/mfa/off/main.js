// Where MFA is off nobody is enrolled, no factor shows in any answer, and nothing can be taken away.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId } = await idp.userByName("ana@example.com");
  const { users } = await idp.users();
  const answers = [users[0], await idp.user(userId), await idp.updateUser({ id: userId })];
  for (const { mfaEnrolled, mfaFactorIds } of answers) console.log({ mfaEnrolled, mfaFactorIds });
  for (const input of [
    { userId, mfaFactorId: "a-factor" },
    { userId: "ghost", mfaFactorId: "a-factor" },
  ]) {
    await idp.unenrollMfa(input).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  await idp.unenrollMfa({ userId, mfaFactorId: "a-factor" });
};

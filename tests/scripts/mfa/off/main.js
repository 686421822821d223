// Where MFA is off nobody is enrolled, and nothing can be taken away.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId, mfaEnrolled } = await idp.userByName("ana@example.com");
  console.log({ mfaEnrolled });
  for (const input of [
    { userId, mfaFactorId: "a-factor" },
    { userId: "ghost", mfaFactorId: "a-factor" },
  ]) {
    await idp.unenrollMfa(input).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  await idp.unenrollMfa({ userId, mfaFactorId: "a-factor" });
};

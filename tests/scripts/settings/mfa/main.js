const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  const { id: userId, mfaEnrolled, mfaFactorIds } = await idp.userByName("ana@example.com");
  console.log(mfaEnrolled, mfaFactorIds.length);
  return await idp.unenrollMfa({ userId, mfaFactorId: mfaFactorIds[0] });
};

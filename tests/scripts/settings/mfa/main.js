const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch (error) {
    console.log(what, error.code, error.message);
  }
};

export default async () => {
  const { id: userId, mfaEnrolled, mfaFactorIds } = await idp.userByName("ana@example.com");
  console.log(mfaEnrolled, mfaFactorIds.length);
  return await idp.unenrollMfa({ userId, mfaFactorId: mfaFactorIds[0] });
};

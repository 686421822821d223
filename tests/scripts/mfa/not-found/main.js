export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId } = await idp.createUser({ name: "ana@example.com" });
  for (const input of [
    { userId, mfaFactorId: "ghost" },
    { userId, mfaFactorId: "" },
    { userId: "ghost", mfaFactorId: "ghost" },
    { userId: "ana@example.com", mfaFactorId: "ghost" },
  ]) {
    await idp.unenrollMfa(input).catch((error) => console.log(`${error.code} ${error.message}`));
  }
};

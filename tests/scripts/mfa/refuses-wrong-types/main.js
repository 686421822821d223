const userId = "an-id";
const mfaFactorId = "a-factor";
const inputs = [
  undefined,
  null,
  userId,
  [userId, mfaFactorId],
  () => ({}),
  {},
  { mfaFactorId },
  { userId: null, mfaFactorId },
  { userId: 42, mfaFactorId },
  { userId: [userId], mfaFactorId },
  { userId },
  { userId, mfaFactorId: null },
  { userId, mfaFactorId: 42 },
  { userId, mfaFactorId: [mfaFactorId] },
  { userId, mfaFactorId: () => mfaFactorId },
  { userId, factorId: mfaFactorId },
];

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const input of inputs) {
    await idp.unenrollMfa(input).catch((error) => console.log(`${error.code} ${error.message}`));
  }
};

const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

export default async ({ ana, bo, cy }) => {
  const { mfaFactorIds } = await idp.user(ana);
  await attempt("both, a factor", () => idp.unenrollMfa({ userId: ana, mfaFactorId: mfaFactorIds[0] }));
  await attempt("both, no such factor", () => idp.unenrollMfa({ userId: ana, mfaFactorId: mfaFactorIds[0] }));
  await attempt("no read", () => idp.unenrollMfa({ userId: bo, mfaFactorId: "a-factor" }));
  await attempt("read alone", () => idp.unenrollMfa({ userId: cy, mfaFactorId: "a-factor" }));
};

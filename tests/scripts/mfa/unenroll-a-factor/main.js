// Ana has two factors, enrolled before the script ran. Each can be taken away once.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const ana = await idp.userByName("ana@example.com");
  console.log(ana.name, ana.mfaEnrolled, ana.mfaFactorIds.length);
  const bo = await idp.userByName("bo@example.com");
  console.log(bo.name, bo.mfaEnrolled, bo.mfaFactorIds.length);

  const [one, two] = ana.mfaFactorIds;
  console.log(await idp.unenrollMfa({ userId: ana.id, mfaFactorId: one, reason: "lost" }));
  const less = await idp.user(ana.id);
  console.log(less.mfaEnrolled, less.mfaFactorIds.length, less.mfaFactorIds[0] === two);

  const hide = (error) => console.log(`${error.code} ${error.message.replace(one, "<one>").replace(two, "<two>")}`);
  await idp.unenrollMfa({ userId: ana.id, mfaFactorId: one }).catch(hide);
  await idp.unenrollMfa({ userId: bo.id, mfaFactorId: two }).catch(hide);

  console.log(await idp.unenrollMfa({ userId: ana.id, mfaFactorId: two }));
  const none = await idp.user(ana.id);
  return { mfaEnrolled: none.mfaEnrolled, mfaFactorIds: none.mfaFactorIds };
};

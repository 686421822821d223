// What the methods resolve to.
const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  const promise = idp.user("a");
  promise.name; // TS2339

  const user = await promise;
  user.updatedAt; // TS2339
  user.email; // TS2339
  user.password; // TS2339
  user.createdAt.length; // TS18048
  user.createdAt.getTime(); // TS18048 TS2339
  user.mfaFactorIds[0].length; // TS2532
  const moment: Date = user.createdAt; // TS2322
  const id: number = user.id; // TS2322
  const disabled: string = user.disabled; // TS2322
  const enrolled: number = user.mfaEnrolled; // TS2322
  const factors: number[] = user.mfaFactorIds; // TS2322

  const page = await idp.users();
  page.nextPageToken.length; // TS18047
  page.length; // TS2339
  page.total; // TS2339
  page.hasMore; // TS2339
  const users: tailor.idp.User = page.users; // TS2739
  const count: string = page.totalCount; // TS2322
  const after: string | undefined = page.nextPageToken; // TS2322
  await idp.users({ after: page.nextPageToken }); // TS2322

  const deleted: tailor.idp.User = await idp.deleteUser("a"); // TS2322
  const taken: string = await idp.unenrollMfa({ userId: "a", mfaFactorId: "b" }); // TS2322
  const queued: string = await idp.sendPasswordResetEmail({ userId: "a", redirectUri: "b" }); // TS2322
  const updated: boolean = await idp.updateUser({ id: "a" }); // TS2322
  const created: string = await idp.createUser({ name: "a" }); // TS2322
  const named: tailor.idp.User | string = (await idp.userByName("a")).nickname; // TS2339
  const partial: tailor.idp.User = { id: "a", name: "b", disabled: false }; // TS2739

  return [
    ...[moment, id, disabled, enrolled, factors, users, count, after],
    ...[deleted, taken, queued, updated, created, named, partial],
  ];
};

// A namespace of the right form that the host does not have shows when it is used.
export default async () => {
  const idp = new tailor.idp.Client("elsewhere");
  const calls = {
    users: () => idp.users(),
    user: () => idp.user("an-id"),
    userByName: () => idp.userByName("ana@example.com"),
    createUser: () => idp.createUser({ name: "ana@example.com" }),
    updateUser: () => idp.updateUser({ id: "an-id" }),
    deleteUser: () => idp.deleteUser("an-id"),
    sendPasswordResetEmail: () =>
      idp.sendPasswordResetEmail({ userId: "an-id", redirectUri: "https://app.example.com/reset" }),
    unenrollMfa: () => idp.unenrollMfa({ userId: "an-id", mfaFactorId: "a-factor" }),
  };
  for (const call of Object.values(calls)) {
    await call().catch((error) => console.log(`${error.code} ${error.message}`));
  }
};

// An update that changes nothing succeeds and returns the user as it is.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const user = await idp.createUser({ name: "ana@example.com" });
  const { id } = user;
  const updates = [
    { id },
    { id, name: undefined, password: undefined, clearPassword: undefined, disabled: undefined },
    { id, name: "ana@example.com" },
    { id, name: "ANA@example.com" },
    { id, disabled: false },
    { id, clearPassword: false },
    { id, clearPassword: true },
    { id, createdAt: "1970-01-01T00:00:00Z", mfaEnrolled: true, role: "admin" },
    user,
  ];
  const same = [];
  for (const update of updates) {
    same.push(JSON.stringify(await idp.updateUser(update)) === JSON.stringify(user));
  }
  return same;
};

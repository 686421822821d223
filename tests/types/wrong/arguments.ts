// What the methods are given.
const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  await idp.users(null); // TS2345
  await idp.users("ana@example.com"); // TS2559
  await idp.users({}, {}); // TS2554
  await idp.users({ first: "10" }); // TS2322
  await idp.users({ first: null }); // TS2322
  await idp.users({ first: 10n }); // TS2322
  await idp.users({ after: null }); // TS2322
  await idp.users({ after: 1 }); // TS2322
  await idp.users({ last: 10 }); // TS2353
  await idp.users({ query: null }); // TS2322
  await idp.users({ query: [] }); // TS2559
  await idp.users({ query: { ids: "a" } }); // TS2322
  await idp.users({ query: { ids: [1] } }); // TS2322
  await idp.users({ query: { ids: null } }); // TS2322
  await idp.users({ query: { names: [null] } }); // TS2322
  await idp.users({ query: { emails: [] } }); // TS2353
  await idp.users({ ids: [] }); // TS2353

  await idp.user(); // TS2554
  await idp.user(1); // TS2345
  await idp.user(null); // TS2345
  await idp.user(undefined); // TS2345
  await idp.user({ id: "a" }); // TS2345
  await idp.userByName(); // TS2554
  await idp.userByName(1); // TS2345
  await idp.userByName(null); // TS2345
  await idp.userByName({ name: "a" }); // TS2345

  await idp.createUser(); // TS2554
  await idp.createUser(null); // TS2345
  await idp.createUser("ana@example.com"); // TS2345
  await idp.createUser({}); // TS2345
  await idp.createUser({ name: 1 }); // TS2322
  await idp.createUser({ name: null }); // TS2322
  await idp.createUser({ name: undefined }); // TS2322
  await idp.createUser({ name: "a", password: 1 }); // TS2322
  await idp.createUser({ name: "a", password: null }); // TS2322
  await idp.createUser({ name: "a", disabled: "yes" }); // TS2322
  await idp.createUser({ name: "a", disabled: null }); // TS2322
  await idp.createUser({ name: "a", email: "a" }); // TS2353
  await idp.createUser({ name: "a", id: "a" }); // TS2353
  await idp.createUser({ name: "a", clearPassword: true }); // TS2353

  await idp.updateUser(); // TS2554
  await idp.updateUser("a"); // TS2345
  await idp.updateUser({}); // TS2345
  await idp.updateUser({ name: "a" }); // TS2345
  await idp.updateUser({ id: 1 }); // TS2322
  await idp.updateUser({ id: "a", name: null }); // TS2322
  await idp.updateUser({ id: "a", name: 1 }); // TS2322
  await idp.updateUser({ id: "a", password: null }); // TS2322
  await idp.updateUser({ id: "a", clearPassword: "yes" }); // TS2322
  await idp.updateUser({ id: "a", disabled: 0 }); // TS2322
  await idp.updateUser({ id: "a", userId: "a" }); // TS2353
  await idp.updateUser("a", { name: "b" }); // TS2554

  await idp.deleteUser(); // TS2554
  await idp.deleteUser(1); // TS2345
  await idp.deleteUser(null); // TS2345
  await idp.deleteUser({ id: "a" }); // TS2345

  await idp.sendPasswordResetEmail(); // TS2554
  await idp.sendPasswordResetEmail("a"); // TS2345
  await idp.sendPasswordResetEmail({ userId: "a" }); // TS2345
  await idp.sendPasswordResetEmail({ redirectUri: "https://example.com/" }); // TS2345
  await idp.sendPasswordResetEmail({ userId: 1, redirectUri: "https://example.com/" }); // TS2322
  await idp.sendPasswordResetEmail({ userId: "a", redirectUri: ["https://example.com/"] }); // TS2322
  await idp.sendPasswordResetEmail({ userId: "a", redirectUri: null }); // TS2322
  await idp.sendPasswordResetEmail({ userId: "a", redirectUri: "https://example.com/", fromName: null }); // TS2322
  await idp.sendPasswordResetEmail({ userId: "a", redirectUri: "https://example.com/", subject: 1 }); // TS2322
  await idp.sendPasswordResetEmail({ userId: "a", redirectUri: "https://example.com/", from: "b" }); // TS2353

  await idp.unenrollMfa(); // TS2554
  await idp.unenrollMfa({}); // TS2345
  await idp.unenrollMfa({ userId: "a" }); // TS2345
  await idp.unenrollMfa({ mfaFactorId: "b" }); // TS2345
  await idp.unenrollMfa({ userId: "a", mfaFactorId: 1 }); // TS2322
  await idp.unenrollMfa({ userId: "a", mfaFactorId: null }); // TS2322
  await idp.unenrollMfa({ userId: "a", mfaFactorId: "b", force: true }); // TS2353
  await idp.unenrollMfa("a", "b"); // TS2554
};

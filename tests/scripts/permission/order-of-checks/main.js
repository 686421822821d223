// Types, namespace, form, permission, existence, policies, uniqueness: each call fails by the first of what is wrong with it.
const idp = new tailor.idp.Client("builtin-idp");
const nowhere = new tailor.idp.Client("elsewhere");

export default async ({ ana, bo, cy }) => {
  const calls = {
    "create: type": () => nowhere.createUser({ name: 42 }),
    "create: namespace": () => nowhere.createUser({ name: "eve" }),
    "create: form": () => idp.createUser({ name: "eve", password: "x" }),
    "create: permission": () => idp.createUser({ name: "eve@example.org", password: "x" }),
    "create: policies": () => idp.createUser({ name: "ana@example.org", password: "x" }),
    "create: password": () => idp.createUser({ name: "ana@example.com", password: "x" }),
    "create: uniqueness": () => idp.createUser({ name: "ana@example.com", password: "long enough" }),
    "update: type": () => nowhere.updateUser({ id: ana, name: "eve", disabled: "yes" }),
    "update: namespace": () => nowhere.updateUser({ id: ana, name: "eve" }),
    "update: form": () => idp.updateUser({ id: bo, name: "eve", password: "x" }),
    "update: form, of nobody": () => idp.updateUser({ id: "ghost", name: "eve", password: "x" }),
    "update: permission": () => idp.updateUser({ id: bo, name: "ana@example.org", password: "x" }),
    "update: existence": () => idp.updateUser({ id: "ghost", name: "ana@example.org", password: "x" }),
    "update: policies": () => idp.updateUser({ id: ana, name: "bo@example.org", password: "x" }),
    "update: password": () => idp.updateUser({ id: ana, name: "bo@example.com", password: "x" }),
    "update: uniqueness": () => idp.updateUser({ id: ana, name: "bo@example.com", password: "long enough" }),
    "mail: type": () => nowhere.sendPasswordResetEmail({ userId: ana, redirectUri: 42 }),
    "mail: namespace": () => nowhere.sendPasswordResetEmail({ userId: ana, redirectUri: "app" }),
    "mail: form": () => idp.sendPasswordResetEmail({ userId: bo, redirectUri: "app" }),
    "mail: permission": () => idp.sendPasswordResetEmail({ userId: bo, redirectUri: "https://example.org/" }),
    "mail: existence": () => idp.sendPasswordResetEmail({ userId: "ghost", redirectUri: "https://example.org/" }),
    "mail: state of the user": () => idp.sendPasswordResetEmail({ userId: cy, redirectUri: "https://example.org/" }),
    "mail: policies": () => idp.sendPasswordResetEmail({ userId: ana, redirectUri: "https://example.org/" }),
    "unenroll: permission": () => idp.unenrollMfa({ userId: bo, mfaFactorId: "ghost" }),
    "unenroll: existence": () => idp.unenrollMfa({ userId: "ghost", mfaFactorId: "ghost" }),
    "unenroll: policies": () => idp.unenrollMfa({ userId: ana, mfaFactorId: "ghost" }),
  };
  for (const [what, call] of Object.entries(calls)) {
    await call().then(
      () => console.log(`${what}: done`),
      ({ code, message }) => console.log(`${what}: ${code} ${message.split("message: ")[1]}`),
    );
  }
};

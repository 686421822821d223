// Whatever the method and the way it fails: no frame and no path but the script's own.
const idp = new tailor.idp.Client("builtin-idp");
const getter = {
  get name() {
    throw new Error("the getter's own");
  },
};

export default async () => {
  const loose = idp.user;
  const failures = {
    users: () => idp.users({ first: 0 }),
    usersAtOnce: () => idp.users({ first: "1" }),
    user: () => idp.user("ghost"),
    userByName: () => idp.userByName("ghost@example.com"),
    createUser: () => idp.createUser({ name: "ana" }),
    createUserAtOnce: () => idp.createUser(),
    updateUser: () => idp.updateUser({ id: "ghost" }),
    deleteUser: () => idp.deleteUser("ghost"),
    sendPasswordResetEmail: () => idp.sendPasswordResetEmail({ userId: "ghost", redirectUri: "/" }),
    unenrollMfa: () => idp.unenrollMfa({ userId: "ghost", mfaFactorId: "ghost" }),
    constructor: async () => new tailor.idp.Client(),
    wrongThis: () => loose("ghost"),
    getter: () => idp.createUser(getter),
  };
  for (const [name, fail] of Object.entries(failures)) {
    const { stack } = await fail().catch((error) => error);
    const frames = stack.split("\n").filter((line) => line.startsWith("    at "));
    console.log(name, frames.length > 0, frames.every((line) => /main\.js:\d+:\d+\)?$/.test(line)));
  }
};

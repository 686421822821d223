// Plain and read-only properties of the prototype, which an assignment trips over.
for (const key of ["code", "message", "stack", "users", "totalCount", "mfaEnrolled", "promise"]) {
  Object.defineProperty(Object.prototype, key, { value: "poison", writable: false, configurable: false });
}
Object.defineProperty(Error.prototype, "code", { get: () => "poison", set: () => {} });

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { mfaEnrolled } = await idp.createUser({ name: "ana@example.com" });
  const { users, totalCount } = await idp.users();
  try {
    await idp.user("ghost");
  } catch (error) {
    const own = Object.getOwnPropertyDescriptor(error, "code");
    return { mfaEnrolled, length: users.length, totalCount, error: [error.code, error.message], enumerable: own.enumerable };
  }
};

// The prototype of all objects answers for keys that are not there, and refuses to have them assigned.
// What the host makes is neither lost nor changed by it.
const keys = ["code", "message", "name", "stack", "id", "users", "nextPageToken", "createdAt", "value", "get", "set"];
for (const key of keys) {
  Object.defineProperty(Object.prototype, key, {
    __proto__: null,
    get: () => `poison ${key}`,
    set() {
      throw new Error(`patched ${key}`);
    },
    configurable: true,
  });
}

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name, createdAt } = await idp.createUser({ __proto__: null, name: "ana@example.com" });
  const { users, nextPageToken } = await idp.users();
  const same = users[0].id === id && users[0].createdAt === createdAt;
  try {
    await idp.user("ghost");
  } catch (error) {
    const { code, message, stack } = error;
    return [name, same, nextPageToken, code, message, stack.includes("main.js:21:")];
  }
};

// Accessors for indexes swallow what is stored in arrays by assignment.
for (const prototype of [Array.prototype, Object.prototype]) {
  for (const index of [0, 1, 2]) {
    Object.defineProperty(prototype, index, { get: () => undefined, set: () => {}, configurable: true });
  }
}

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, mfaFactorIds } = await idp.createUser({ name: "ana@example.com" });
  const { users, totalCount } = await idp.users({ query: { ids: [id] } });
  const empty = await idp.users({ query: { names: [] } });
  try {
    await idp.users({ query: { ids: [id, 42] } });
  } catch (error) {
    return {
      name: users[0].name,
      totalCount,
      none: [mfaFactorIds.length, empty.users.length, empty.totalCount],
      message: error.message,
    };
  }
};

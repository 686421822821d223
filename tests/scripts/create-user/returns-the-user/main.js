// The record has exactly these keys, and no updatedAt.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const before = Date.now();
  const user = await idp.createUser({ name: "ana@example.com" });
  const createdAt = Date.parse(user.createdAt);
  console.log("created now:", createdAt >= before - 1 && createdAt <= Date.now() + 1);
  console.log("milliseconds, UTC:", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(user.createdAt));
  console.log("id is a UUIDv7:", /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(user.id));
  return user;
};

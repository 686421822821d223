export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const user = await idp.createUser({ name: "ana@example.com" });
  const { id } = user;
  const inputs = [
    undefined,
    null,
    id,
    42,
    [],
    () => ({ id }),
    {},
    { id: undefined, name: "bo@example.com" },
    { id: null },
    { id: 42 },
    { id: [id] },
    { id: {} },
    { id, name: null },
    { id, name: 42 },
    { id, name: ["bo@example.com"] },
    { id, name: () => "bo@example.com" },
    { id, password: null },
    { id, password: 123456 },
    { id, password: {} },
    { id, clearPassword: null },
    { id, clearPassword: "true" },
    { id, clearPassword: 1 },
    { id, disabled: null },
    { id, disabled: "true" },
    { id, disabled: 1 },
    { id, disabled: [true] },
    { id, name: "" },
    { id, name: "bo" },
    { id, name: `${"l".repeat(250)}@example.com` },
  ];
  for (const input of inputs) {
    await idp.updateUser(input).then(
      () => console.log("updated with", input),
      (error) => console.log(`${error.code} ${error.message}`),
    );
  }
  return { unchanged: JSON.stringify(await idp.user(id)) === JSON.stringify(user) };
};

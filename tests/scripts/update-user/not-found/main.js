export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const updates = [
    { id: "ghost" },
    { id: "" },
    { id: "ghost", name: "ana@example.com" },
    { id: "ghost", disabled: true },
    { id: "ghost", clearPassword: true },
  ];
  for (const update of updates) {
    await idp.updateUser(update).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  const { totalCount } = await idp.users();
  return { totalCount };
};

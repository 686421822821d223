export default async () => {
  const staff = new tailor.idp.Client("staff");
  const customers = new tailor.idp.Client({ namespace: "customers" });
  const name = "ana@example.com";
  const colleague = await staff.createUser({ name });
  const customer = await customers.createUser({ name });
  console.log("two users of one name:", colleague.id !== customer.id);

  const gone = (error) => console.log(error.code);
  await customers.user(colleague.id).catch(gone);
  await customers.updateUser({ id: colleague.id, disabled: true }).catch(gone);
  await customers.deleteUser(colleague.id).catch(gone);
  await customers
    .sendPasswordResetEmail({ userId: colleague.id, redirectUri: "https://app.example.com/" })
    .catch(gone);
  console.log((await customers.users({ query: { ids: [colleague.id] } })).totalCount);

  await staff.deleteUser(colleague.id);
  console.log((await staff.users()).totalCount, (await customers.users()).totalCount);
  console.log((await customers.userByName(name)).id === customer.id);
  await new tailor.idp.Client("builtin-idp").users().catch((error) => console.log(error.message));
};

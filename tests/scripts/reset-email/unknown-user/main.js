export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const redirectUri = "https://app.example.com/reset";
  const { id } = await idp.createUser({ name: "ana@example.com" });
  await idp.deleteUser(id);
  for (const userId of ["ghost", "", "ana@example.com", id]) {
    await idp
      .sendPasswordResetEmail({ userId, redirectUri })
      .catch((error) => console.log(`${error.code} ${error.message.replace(id, "<deleted>")}`));
  }
};

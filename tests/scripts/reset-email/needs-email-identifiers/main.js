// Where names are no e-mail addresses there is nowhere to send a mail to.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId } = await idp.createUser({ name: "ana@example.com" });
  await idp.sendPasswordResetEmail({ userId, redirectUri: "https://app.example.com/reset" });
};

// Queues a password-reset mail for the user with the given name.
export default async ({ email, app = "https://app.example.com/signed-in" }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const user = await idp.userByName(email);
  return await idp.sendPasswordResetEmail({ userId: user.id, redirectUri: app, subject: "A new password, please" });
};

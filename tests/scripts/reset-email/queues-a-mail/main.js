// Resolves to true when the mail is queued. Sender and subject are optional; other keys do not matter.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId } = await idp.createUser({ name: "ana@example.com" });
  const { id: bo } = await idp.createUser({ name: "bo@example.com" });
  const redirectUri = "https://app.example.com/reset";
  return [
    await idp.sendPasswordResetEmail({ userId, redirectUri }),
    await idp.sendPasswordResetEmail({ userId, redirectUri, fromName: undefined, subject: undefined }),
    await idp.sendPasswordResetEmail({ userId, redirectUri, fromName: "Example Ltd", subject: "Your new password" }),
    await idp.sendPasswordResetEmail({ userId, redirectUri, fromName: "", subject: "" }),
    await idp.sendPasswordResetEmail({ userId, redirectUri, fromName: "名".repeat(200), subject: "✉".repeat(200) }),
    await idp.sendPasswordResetEmail({ userId: bo, redirectUri, lang: "ja", template: null }),
  ];
};

/** Sends a mail with a link for a new password. */
export default async (args: { userId: string }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const redirectUri = "https://app.example.com/signed-in";
  return idp.sendPasswordResetEmail({ userId: args.userId, redirectUri, fromName: "Example" });
};

// A user is sent five mails an hour; how long to wait is in the message. A new password does not reset the count.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const redirectUri = "https://app.example.com/reset";
  const { id: ana } = await idp.createUser({ name: "ana@example.com" });
  const { id: bo } = await idp.createUser({ name: "bo@example.com" });
  const send = (userId) =>
    idp
      .sendPasswordResetEmail({ userId, redirectUri })
      .catch(({ code, message }) => `${code} ${message.replace(/again in 3\d{3} s/, "again in about an hour")}`);

  const all = await Promise.all(Array.from({ length: 7 }, () => send(ana)));
  await idp.updateUser({ id: ana, password: "long enough" });
  return [...all, await send(ana), await send(bo)];
};

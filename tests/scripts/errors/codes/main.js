// Each code that a script can bring about by what it asks for, in the words of its message.
const client = (namespace) => new tailor.idp.Client({ namespace });

export default async () => {
  const [open, closed, names] = ["open", "closed", "names"].map(client);
  const name = "ana@example.com";
  const { id: userId } = await open.userByName(name);
  const { id: bo } = await names.createUser({ name: "bo" });
  const mail = { userId, redirectUri: "https://app.example.com/" };
  const calls = [
    () => open.createUser({ name: 42 }),
    () => open.createUser({ name: "ana" }),
    () => client("elsewhere").users(),
    () => open.user("ghost"),
    () => open.userByName("ghost@example.com"),
    () => open.unenrollMfa({ userId, mfaFactorId: "ghost" }),
    () => open.createUser({ name }),
    () => closed.userByName(name),
    () => names.sendPasswordResetEmail({ ...mail, userId: bo }),
    () => names.unenrollMfa({ userId: bo, mfaFactorId: "ghost" }),
    async () => {
      for (let mails = 1; mails <= 6; mails++) await open.sendPasswordResetEmail(mail);
    },
  ];
  for (const call of calls) {
    const { code, message } = await call().catch((error) => error);
    console.log(code, message.replace(/again in \d+ s/, "again in a while"));
  }
};

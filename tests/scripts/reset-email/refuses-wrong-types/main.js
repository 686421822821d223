export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId } = await idp.createUser({ name: "ana@example.com" });
  const redirectUri = "https://app.example.com/reset";
  const inputs = [
    undefined,
    null,
    userId,
    [],
    () => ({}),
    {},
    { redirectUri },
    { userId: null, redirectUri },
    { userId: 42, redirectUri },
    { userId: [userId], redirectUri },
    { userId },
    { userId, redirectUri: null },
    { userId, redirectUri: 42 },
    { userId, redirectUri: new URL(redirectUri) },
    { userId, redirectUri: [redirectUri] },
    { userId, redirectUri, fromName: null },
    { userId, redirectUri, fromName: 42 },
    { userId, redirectUri, fromName: ["Example Ltd"] },
    { userId, redirectUri, subject: null },
    { userId, redirectUri, subject: true },
    { userId, redirectUri, subject: () => "Hello" },
  ];
  for (const input of inputs) {
    await idp.sendPasswordResetEmail(input).then(
      () => console.log("sent with", input),
      (error) => console.log(`${error.code} ${error.message}`),
    );
  }
};

// At most 200 characters each, on one line.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId } = await idp.createUser({ name: "ana@example.com" });
  const redirectUri = "https://app.example.com/reset";
  for (const field of ["fromName", "subject"]) {
    for (const text of ["x".repeat(201), "✉".repeat(201), "Hello\nBcc: bo@example.com", "Hello\r", "\r\n"]) {
      await idp
        .sendPasswordResetEmail({ userId, redirectUri, [field]: text })
        .catch((error) => console.log(`${error.code} ${error.message}`));
    }
  }
};

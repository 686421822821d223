export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id: userId } = await idp.createUser({ name: "ana@example.com" });
  const send = (redirectUri) =>
    idp.sendPasswordResetEmail({ userId, redirectUri }).catch((error) => `${error.code} ${error.message}`);

  for (const uri of [
    "https://app.example.com",
    "http://localhost:3000/reset?from=mail#form",
    "HTTPS://APP.EXAMPLE.COM/",
    "https://例え.jp/パス",
    "https://app.example.com/@user?mail=ana@example.com",
  ]) {
    console.log(uri, await send(uri));
  }
  for (const uri of [
    "",
    "/reset",
    "reset",
    "//app.example.com/reset",
    "app.example.com/reset",
    "https:",
    "https://",
    "https:evil.com",
    "https:/evil.com",
    "https:///evil.com",
    "https:\\\\evil.com",
    "https://app.example.com\\@evil.com",
    "https://user@app.example.com/",
    "https://user:secret@app.example.com/",
    "https:user:secret@app.example.com/",
    "ftp://user:secret@app.example.com/",
    "user:secret@app.example.com",
    "https://app.example.com:99999/",
    "ftp://app.example.com/",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///reset.html",
    "mailto:ana@example.com",
    "myapp://reset",
    " https://app.example.com/",
    "https://app.example.com/ reset",
    "https://app.example.com/\r\nBcc: bo@example.com",
  ]) {
    console.log(await send(uri));
  }
  console.log(await send(`https://app.example.com/${"x".repeat(3000)}`));
};

const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch (error) {
    console.log(what, error.code, error.message);
  }
};

export default async () => {
  const { id: userId } = await idp.createUser({ name: "ana@example.com" });
  const uris = [
    "https://app.example.com/done?x=1",
    "https://app.example.com:443/",
    "https://APP.example.com/",
    "http://localhost:3000",
    "http://app.example.com/",
    "https://app.example.com:8443/",
    "https://app.example.com.evil.org/",
    "https://evil.org/https://app.example.com",
    "http://localhost/",
  ];
  for (const redirectUri of uris) await attempt(redirectUri, () => idp.sendPasswordResetEmail({ userId, redirectUri }));
};

// No message tells a password, in whatever way it is refused.
const secret = "hunter2-hunter2";

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com", password: secret });
  const calls = [
    () => idp.createUser({ name: "ana@example.com", password: secret }),
    () => idp.createUser({ name: "no address", password: secret }),
    () => idp.createUser({ name: "bo@example.com", password: [secret] }),
    () => idp.createUser({ name: "bo@example.com", password: { secret } }),
    () => idp.createUser({ name: "bo@example.com", password: secret, disabled: secret }),
    () => idp.createUser({ name: "bo@example.com", password: `${secret}\ud800` }),
    () => idp.createUser({ name: "bo@example.com", password: secret.repeat(300) }),
    () => idp.updateUser({ id, password: secret, clearPassword: true }),
    () => idp.updateUser({ id: "ghost", password: secret }),
  ];
  for (const call of calls) {
    const error = await call().catch((error) => error);
    console.log(error.code, `${error.message}${error.stack}`.includes("hunter2"));
  }
  return JSON.stringify(await idp.user(id)).includes("hunter2");
};

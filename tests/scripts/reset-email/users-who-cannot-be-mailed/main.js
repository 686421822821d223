// A mail that could not be sent, or whose link would not work, is not queued. Ana is from before names were e-mail addresses.
const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  const ana = (await idp.users()).users[0].id;
  const { id: bo } = await idp.createUser({ name: "bo@example.com", disabled: true });
  const send = (userId) =>
    idp.sendPasswordResetEmail({ userId, redirectUri: "https://app.example.com/" }).catch(({ message }) => message);
  console.log(await send(ana));
  console.log(await send(bo));
  await idp.updateUser({ id: bo, disabled: false });
  await idp.updateUser({ id: ana, name: "ana@example.com" });
  return [await send(ana), await send(bo)];
};

// `update` is all that an update needs: it answers with the user, whom the invoker may not read.
const idp = new tailor.idp.Client("builtin-idp");

export default async ({ ana }) => {
  const unread = () => idp.user(ana).catch(({ code }) => code);
  const { name, disabled } = await idp.updateUser({ id: ana, name: "anna@example.com", disabled: true });
  const unchanged = await idp.updateUser({ id: ana });
  return [await unread(), { name, disabled }, unchanged.name];
};

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  return await idp.users();
};

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  idp.deleteUser("ghost");
  await new Promise((resolve) => setTimeout(resolve, 5000));
  return "never";
};

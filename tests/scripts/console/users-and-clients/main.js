export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const user = await idp.createUser({ name: "ana@example.com" });
  console.log(user);
  console.log("page:", await idp.users());
  console.log(idp, [idp], tailor.idp.Client);
  console.log(tailor);
};

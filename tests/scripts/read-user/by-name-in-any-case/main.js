// An e-mail address is stored and looked up in lower case, beyond ASCII as well.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const name of ["Ana@Example.com", "ÜNAL@example.com"]) {
    console.log("created", (await idp.createUser({ name })).name);
  }
  for (const name of ["ana@example.com", "ANA@EXAMPLE.COM", "aNa@eXample.com", "ünal@example.com", "Ünal@Example.com"]) {
    console.log(name, "is", (await idp.userByName(name)).name);
  }
  // Trimmed of nothing.
  await idp.userByName(" ana@example.com").catch((error) => console.log(error.message));
};

// 64 characters before the @ pass, 65 do not.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const letter of ["l", "é", "u\u0308", "名"]) {
    const { name } = await idp.createUser({ name: `${letter.repeat(64)}@example.com` });
    console.log("created a name of", name.length);
    await idp.createUser({ name: `${letter.repeat(65)}@example.com` }).catch((error) => console.log(error.message));
  }
};

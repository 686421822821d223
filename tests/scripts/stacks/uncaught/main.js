const rename = async (idp, userId) => {
  await idp.users();
  return await idp.updateUser({ id: userId, name: "ana@example.com" });
};

export default async function handler() {
  const idp = new tailor.idp.Client("builtin-idp");
  return await rename(idp, "ghost");
}

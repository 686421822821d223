// The usual use: create a user, or take the one that is there.
const ensure = async (idp, name) => {
  try {
    return await idp.createUser({ name });
  } catch (error) {
    if (error.code !== "ALREADY_EXISTS") {
      throw error;
    }
    return await idp.userByName(name);
  }
};

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const one = await ensure(idp, "ana@example.com");
  const two = await ensure(idp, "Ana@Example.com");
  console.log(one.id === two.id);
  await ensure(idp, "no address");
};

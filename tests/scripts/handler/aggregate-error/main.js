export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  try {
    return await Promise.any([idp.user("ghost"), idp.userByName("ghost@example.com")]);
  } catch (error) {
    console.log(error.name, error.errors.map((each) => each.code));
    throw error;
  }
};

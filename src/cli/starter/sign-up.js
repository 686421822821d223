// Creates a user, unless there is one of that name.
export default async ({ email, password }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  try {
    const user = await idp.createUser({ name: email, password });
    return { created: true, id: user.id };
  } catch (error) {
    if (error.code !== "ALREADY_EXISTS") throw error;
    return { created: false };
  }
};

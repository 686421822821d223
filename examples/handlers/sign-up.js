// Creates a user. If the name is taken, returns the existing user instead of failing.
export default async ({ email, password }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  try {
    const user = await idp.createUser({ name: email, password });
    console.log(`${user.name} has signed up`);
    return { id: user.id, created: true };
  } catch (error) {
    if (error.code !== "ALREADY_EXISTS") throw error;
    const user = await idp.userByName(email);
    console.log(`${user.name} is here already`);
    return { id: user.id, created: false };
  }
};

/** Creates a user. */
export default async (args: { email: string; password: string }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  try {
    const user = await idp.createUser({ name: args.email, password: args.password });
    return { id: user.id };
  } catch (error) {
    const { code } = error as tailor.idp.ClientError;
    if (code === "ALREADY_EXISTS") return { error: "There is an account with this e-mail address." };
    if (code === "UNAVAILABLE") return { error: "Please try again in a minute." };
    throw error;
  }
};

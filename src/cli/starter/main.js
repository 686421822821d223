// Creates a user, unless the name is taken.
//
// The folder is also a golden test: `tailor-idp test` runs the handler over an empty store with the argument in args.json, and
// compares its output with expected.txt, where [UUID] matches any id.
export default async ({ email, password }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  try {
    const { id, name } = await idp.createUser({ name: email, password });
    console.log(`welcome, ${name}`);
    return { created: true, id };
  } catch (error) {
    if (error.code !== "ALREADY_EXISTS") throw error;
    return { created: false };
  }
};

// Creates a user, unless there is one of that name.
//
// The folder is a golden test as well: over an empty store, and with args.json for its argument, the handler ends as expected.txt
// says, where [UUID] stands for an id. `tailor-idp test` runs it.
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

const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch (error) {
    console.log(what, error.code, error.message);
  }
};

export default async () => {
  const { id } = await idp.createUser({ name: "ana@example.com", password: "Rabbit-42" });
  const passwords = ["RABBIT-42", "rabbit-42", "Rabbit-forty", "Rabbit4242", "rabbitrabbit", "        ", "", "Ra-4"];
  for (const password of passwords) {
    await attempt(`${JSON.stringify(password)} to create`, () => idp.createUser({ name: "bo@example.com", password }));
    await attempt(`${JSON.stringify(password)} to update`, () => idp.updateUser({ id, password }));
  }
  return (await idp.users()).totalCount;
};

// Wherever it stands, before or behind the policy that permits.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

export default async () => {
  for (const { id, name } of (await idp.users()).users) await attempt(name, () => idp.deleteUser(id));
  return (await idp.users()).users.map(({ name }) => name);
};

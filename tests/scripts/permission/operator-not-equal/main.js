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
  for (const name of ["ana", "bo", "cy"]) await attempt(name, () => idp.userByName(`${name}@example.com`));
  const { users, totalCount } = await idp.users();
  return { names: users.map(({ name }) => name), totalCount };
};

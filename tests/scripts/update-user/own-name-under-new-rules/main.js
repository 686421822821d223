// Names from before names had to be e-mail addresses at example.com. Sent back they are no new names, and no rule is theirs.
const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  const [any, away, kept] = (await idp.users()).users.map(({ id }) => id);
  const rename = async (what, id, name) => {
    const end = await idp.updateUser({ id, name }).then(
      (user) => `is ${user.name}`,
      ({ code, message }) => `${code} ${message.split("message: ")[1]}`,
    );
    console.log(`${what}: ${end}`);
  };
  await rename("the own name, no e-mail", any, "Ana Müller");
  await rename("the own name, at another domain", away, "bo@example.org");
  await rename("the own name in another spelling", away, "BO@Example.ORG");
  await rename("another name, no e-mail", any, "Ana");
  await rename("another name at another domain", away, "bob@example.org");
  await rename("another name", any, "ana@example.com");
  await rename("back to the name of before", any, "Ana Müller");
  // Whom one may not update: nobody learns that there is a Cy, nor who has the name.
  await rename("Cy, whom one may not update", kept, "Cy");
  await rename("Cy, whom one may not update, to another name", kept, "Bo");
  await rename("nobody", "ghost", "Cy");
};

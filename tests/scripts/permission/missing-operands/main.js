// What is missing equals nothing: `=` and `in` do not hold, `!=` and `not in` do.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

const names = ["equal", "not-equal", "in", "not-in", "number", "mixed", "id"];

export default async () => {
  for (const name of names) await attempt(name, () => idp.createUser({ name: `${name}@example.com` }));
};

const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

const names = ["string", "case", "boolean", "kind", "list", "list-as-value", "value-as-list", "attributes"];

export default async () => {
  for (const name of names) await attempt(name, () => idp.createUser({ name: `${name}@example.com` }));
};

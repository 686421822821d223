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
  await attempt("without", () => idp.createUser({ name: "ana@example.com", password: "Rabbit-x" }));
  await attempt("with", () => idp.createUser({ name: "ana@example.com", password: "rabbit4" }));
};

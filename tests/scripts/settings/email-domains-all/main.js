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
  await attempt("any domain", () => idp.createUser({ name: "ana@anywhere.example" }));
  await attempt("no e-mail address", () => idp.createUser({ name: "ana" }));
};

// `id` and `_id` are the same.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch ({ code }) {
    console.log(what, code);
  }
};

export default async ({ ana, bo }) => {
  await attempt("read oneself", () => idp.user(ana));
  await attempt("read another", () => idp.user(bo));
  await attempt("update oneself", () => idp.updateUser({ id: ana, password: "long enough" }));
  await attempt("update another", () => idp.updateUser({ id: bo, password: "long enough" }));
  await attempt("create: no id yet", () => idp.createUser({ name: "cy@example.com" }));
  await attempt("delete oneself", () => idp.deleteUser(ana));
  await attempt("delete another", () => idp.deleteUser(bo));
};

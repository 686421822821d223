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
  const { id } = await idp.createUser({ name: "ana@example.com" });
  for (const length of [7, 8, 12, 13]) {
    await attempt(`${length} to create`, () => idp.createUser({ name: `u${length}@example.com`, password: "p".repeat(length) }));
    await attempt(`${length} to update`, () => idp.updateUser({ id, password: "p".repeat(length) }));
  }
  // Counted in Unicode scalar values: one here, two in UTF-16, four in UTF-8.
  await attempt("7 astral characters", () => idp.updateUser({ id, password: "🐧".repeat(7) }));
  await attempt("12 astral characters", () => idp.updateUser({ id, password: "🐧".repeat(12) }));
};

// The author's line is the first frame, for failures at once and for those of the store.
const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  try {
    await idp.user("ghost");
  } catch (error) {
    console.log(error.stack);
  }
  try {
    await idp.user(42);
  } catch (error) {
    console.log(error.stack);
  }
  const { id } = await idp.createUser({ name: "ana@example.com" });
  try {
    await idp.updateUser({ id, password: "short" });
  } catch (error) {
    console.log(error.stack);
  }
};

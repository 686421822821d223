// What a script sees that logs an error as it is.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  try {
    await idp.deleteUser("ghost");
  } catch (error) {
    console.error(error);
    console.error("failed:", error);
    console.error({ error });
    console.error(`failed: ${error}`);
  }
};

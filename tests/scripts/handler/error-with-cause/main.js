export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  try {
    await idp.user("ghost");
  } catch (cause) {
    const error = new Error("cannot greet the user", { cause });
    console.error(error);
    console.log(error.cause.code);
    throw error;
  }
};

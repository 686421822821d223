Error.prepareStackTrace = () => {
  throw new Error("patched prepareStackTrace");
};

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  await idp.deleteUser("ghost");
};

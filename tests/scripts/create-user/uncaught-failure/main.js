// Nobody catches: the process prints the error with the script's line, and ends with exit code 1.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  await idp.createUser({ name: "ana@example.com" });
  console.log("one is there");
  await idp.createUser({ name: "ana@example.com" });
  console.log("never logged");
};

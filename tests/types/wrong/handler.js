// Plain JavaScript is checked, too.

/** @param {{ id: string }} args */
export default async ({ id }) => {
  const idp = new tailor.idp.Client({ name: "builtin-idp" }); // TS2353
  await idp.createUser({ email: "ana@example.com" }); // TS2353
  await idp.updateUser(id); // TS2345
  return (await idp.users()).nextPageToken.length; // TS2531
};

// ALREADY_EXISTS whatever the case; nothing else of the update happens either.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const ana = await idp.createUser({ name: "ana@example.com" });
  await idp.createUser({ name: "bo@example.com" });
  for (const name of ["bo@example.com", "BO@Example.com"]) {
    await idp.updateUser({ id: ana.id, name, disabled: true }).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  const unchanged = JSON.stringify(await idp.user(ana.id)) === JSON.stringify(ana);

  // Free names can be taken, and given back.
  await idp.updateUser({ id: ana.id, name: "cy@example.com" });
  const again = await idp.createUser({ name: "ana@example.com" });
  return { unchanged, again: again.name };
};

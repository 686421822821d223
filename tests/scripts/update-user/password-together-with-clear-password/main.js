export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  const failed = (error) => `${error.code} ${error.message}`;
  return {
    both: await idp.updateUser({ id, password: "correct horse", clearPassword: true }).catch(failed),
    shortAndBoth: await idp.updateUser({ id, password: "short", clearPassword: true }).catch(failed),
    notCleared: await idp.updateUser({ id, password: "correct horse", clearPassword: false }).then(({ name }) => name),
    tooShort: await idp.updateUser({ id, password: "short" }).catch(failed),
    tooLong: await idp.updateUser({ id, password: "x".repeat(4097) }).catch(failed),
    ghost: await idp.updateUser({ id: "ghost", clearPassword: true }).catch(failed),
  };
};

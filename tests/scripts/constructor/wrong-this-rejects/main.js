// A method that is taken off its client rejects, whatever the method; nothing is thrown at once.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const methods = [
    "users",
    "user",
    "userByName",
    "createUser",
    "updateUser",
    "deleteUser",
    "sendPasswordResetEmail",
    "unenrollMfa",
  ];
  for (const method of methods) {
    const { [method]: loose } = idp;
    for (const self of [undefined, {}, Object.create(idp)]) {
      const promise = loose.call(self, { name: "ana@example.com" });
      const error = await promise.catch((error) => error);
      console.log(method, error instanceof TypeError);
    }
  }
  const { totalCount } = await idp.users();
  return { totalCount };
};

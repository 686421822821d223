// A script can wrap the client's methods for itself, as tracing does.
const { prototype } = tailor.idp.Client;
for (const method of ["createUser", "user"]) {
  const original = prototype[method];
  prototype[method] = async function (...args) {
    console.log("calling", method);
    return await original.apply(this, args);
  };
}

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id } = await idp.createUser({ name: "ana@example.com" });
  return (await idp.user(id)).name;
};

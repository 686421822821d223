const idp = new tailor.idp.Client("builtin-idp");
const { id } = await idp.createUser({ name: "ana@example.com" });
await new Promise((resolve) => setTimeout(resolve, 1));

export default async () => (await idp.user(id)).name;

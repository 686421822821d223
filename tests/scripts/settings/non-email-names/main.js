const idp = new tailor.idp.Client("builtin-idp");

export default async () => (await idp.createUser({ name: "Ana 1" })).name;

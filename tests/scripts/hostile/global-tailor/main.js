// The class is the host's; the global variable is the script's to replace.
const { Client } = tailor.idp;
tailor.idp.Client = class {};
globalThis.tailor = { idp: null };

export default async () => {
  const idp = new Client("builtin-idp");
  const { name } = await idp.createUser({ name: "ana@example.com" });
  delete globalThis.tailor;
  return { name, tailor: typeof tailor };
};

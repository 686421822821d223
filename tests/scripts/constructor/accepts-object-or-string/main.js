// A client is made from { namespace } or from the bare name. Other keys do not matter.
export default async () => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const { id } = await idp.createUser({ name: "ana@example.com" });

  class Config {
    get namespace() {
      return "builtin-idp";
    }
  }
  const clients = {
    object: idp,
    string: new tailor.idp.Client("builtin-idp"),
    moreKeys: new tailor.idp.Client({ namespace: "builtin-idp", region: "eu", timeout: null }),
    getter: new tailor.idp.Client(new Config()),
    noPrototype: new tailor.idp.Client({ __proto__: null, namespace: "builtin-idp" }),
  };
  const names = {};
  for (const [form, client] of Object.entries(clients)) {
    names[form] = (await client.user(id)).name;
  }
  return names;
};

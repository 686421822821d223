// The client is a class: it cannot be called, and can be extended.
export default async () => {
  try {
    tailor.idp.Client({ namespace: "builtin-idp" });
  } catch (error) {
    console.log(error.name, error.message);
  }

  class Directory extends tailor.idp.Client {
    constructor() {
      super("builtin-idp");
    }
    count() {
      return this.users({ first: 1 }).then((page) => page.totalCount);
    }
  }
  const directory = new Directory();
  await directory.createUser({ name: "ana@example.com" });
  return {
    count: await directory.count(),
    isClient: directory instanceof tailor.idp.Client,
    name: tailor.idp.Client.name,
    length: tailor.idp.Client.length,
  };
};

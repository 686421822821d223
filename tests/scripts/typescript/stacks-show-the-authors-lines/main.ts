interface User {
  id: string;
  name: string;
}

type Nothing = null;

async function remove(idp: tailor.idp.Client, user: User): Promise<void> {
  await idp.deleteUser(user.id);
}

function fail<T>(value: T): never {
  throw new TypeError(`no ${value}`, { cause: null });
}

export default async (): Promise<void> => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  try {
    await remove(idp, { id: "ghost", name: "" });
  } catch (error: unknown) {
    console.log((error as Error).stack);
  }
  const user: User = { id: "none", name: "" };
  await Promise.resolve();
  fail<string>(user.id);
};

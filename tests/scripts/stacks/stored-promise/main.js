// Called here, awaited there: the stack tells of the call.
const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  const fromStore = idp.user("ghost");
  const atOnce = idp.user(42);
  fromStore.catch(() => {});
  atOnce.catch(() => {});
  await idp.users();

  for (const promise of [fromStore, atOnce]) {
    try {
      await promise;
    } catch (error) {
      console.log(error.stack);
    }
  }
};

// Attacks: Calls one after the other without end.
// Ends: time
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  for (;;) await idp.user("x").catch(() => {});
};

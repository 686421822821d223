// Attacks: Calls without end.
// Ends: memory | time
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  for (;;) idp.user("x").catch(() => {});
};

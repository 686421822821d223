// Attacks: A client call whose argument loops as it is read.
// Ends: time
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  return idp.createUser({ get name() { for (;;); } });
};

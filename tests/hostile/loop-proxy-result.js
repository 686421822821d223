// Attacks: A result that is a proxy with keys without end.
// Ends: time
export default async () => {
  return new Proxy({}, { ownKeys() { for (;;); } });
};

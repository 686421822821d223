// Attacks: Random bytes without end.
// Ends: time
export default async () => {
  const a = new Uint8Array(65536);
  for (;;) crypto.getRandomValues(a);
};

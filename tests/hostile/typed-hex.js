// Attacks: ToHex of a buffer in a loop.
// Ends: time
export default async () => {
  const a = new Uint8Array(2 ** 20);
  for (;;) a.toHex?.();
};

// Attacks: Digests without end.
// Ends: buffers | time
export default async () => {
  const a = new Uint8Array(3e7);
  for (;;) await crypto.subtle.digest('SHA-512', a);
};

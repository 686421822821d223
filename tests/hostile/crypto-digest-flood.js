// Attacks: Digests side by side without end.
// Ends: buffers | memory | time
export default async () => {
  for (;;) crypto.subtle.digest('SHA-512', new Uint8Array(1e6));
};

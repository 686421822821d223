// Attacks: A typed array of a huge length.
// Ends: buffers | memory | time
export default async () => {
  return Uint8Array.from({ length: 2 ** 32 }).length;
};

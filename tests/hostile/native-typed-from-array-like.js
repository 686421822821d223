// Attacks: A typed array of an array-like with a huge length.
// Ends: buffers | memory
export default async () => {
  return new Uint8Array({ length: 2 ** 32 }).length;
};

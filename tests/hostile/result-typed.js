// Attacks: A result of a typed array.
// Ends: result
export default async () => {
  return new Uint8Array(3e7);
};

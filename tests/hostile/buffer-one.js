// Attacks: One buffer that is too large.
// Ends: memory | time
export default async () => {
  return new ArrayBuffer(2 ** 33).byteLength;
};

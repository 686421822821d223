// Attacks: One buffer that is too large.
// Ends: buffers | memory | time
export default async () => {
  return new ArrayBuffer(2 ** 33).byteLength;
};

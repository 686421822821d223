// Attacks: Join of a typed array.
// Ends: result 33554431 | time
export default async () => {
  return new Uint8Array(2 ** 24).join().length;
};

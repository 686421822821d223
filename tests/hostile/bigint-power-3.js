// Attacks: A power of three.
// Ends: time
export default async () => {
  return String(3n ** (2n ** 25n)).length;
};

// Attacks: A shift.
// Ends: error RangeError
export default async () => {
  return 1n << 2n ** 40n;
};

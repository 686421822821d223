// Attacks: String.raw with substitutions without end.
// Ends: error RangeError
export default async () => {
  return String.raw({ raw: { length: 2 ** 53 - 1 } });
};

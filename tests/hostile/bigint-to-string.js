// Attacks: A large number as text.
// Ends: time
export default async () => {
  return (1n << 2n ** 26n).toString().length;
};

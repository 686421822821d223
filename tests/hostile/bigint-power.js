// Attacks: A power.
// Ends: memory | time
export default async () => {
  return (2n ** (2n ** 29n)).toString().length;
};

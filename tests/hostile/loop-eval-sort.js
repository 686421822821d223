// Attacks: A comparator that never returns.
// Ends: time
export default async () => {
  return [3, 1, 2].sort(() => { for (;;); });
};

// Attacks: A result with a toJSON that never returns.
// Ends: time
export default async () => {
  return { toJSON() { for (;;); } };
};

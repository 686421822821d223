// Attacks: A result with a getter that never returns.
// Ends: time
export default async () => {
  return { get a() { for (;;); } };
};

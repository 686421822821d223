// Attacks: A thenable whose then never returns.
// Ends: time
export default async () => {
  return { then() { for (;;); } };
};

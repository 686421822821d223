// Attacks: A timer that never returns.
// Ends: time
export default async () => {
  setTimeout(() => { for (;;); });
  await new Promise(() => {});
};

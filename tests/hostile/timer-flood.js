// Attacks: Timers without end.
// Ends: timers
export default async () => {
  for (;;) setTimeout(() => {}, 1e6);
};

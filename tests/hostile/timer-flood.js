// Attacks: Timers without end.
// Ends: memory | time
export default async () => {
  for (;;) setTimeout(() => {}, 1e6);
};

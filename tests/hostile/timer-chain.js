// Attacks: Timers that start two each.
// Ends: memory | time
export default async () => {
  const next = () => { setTimeout(next); setTimeout(next); };
  next();
  await new Promise(() => {});
};

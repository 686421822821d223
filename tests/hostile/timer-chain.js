// Attacks: Timers that start two each.
// Ends: timers
export default async () => {
  const next = () => { setTimeout(next); setTimeout(next); };
  next();
  await new Promise(() => {});
};

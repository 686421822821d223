// Attacks: QueueMicrotask without end.
// Ends: time
export default async () => {
  const next = () => queueMicrotask(next);
  next();
  await new Promise(() => {});
};

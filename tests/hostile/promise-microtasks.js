// Attacks: Microtasks without end.
// Ends: memory | time
export default async () => {
  const next = () => Promise.resolve().then(next);
  await next();
};

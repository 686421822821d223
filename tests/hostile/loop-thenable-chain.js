// Attacks: Thenables that resolve to thenables.
// Ends: time
export default async () => {
  const next = () => ({ then(resolve) { resolve(next()); } });
  return next();
};

// Attacks: An iterator helper that finds nothing.
// Ends: time
export default async () => {
  function* all() { for (;;) yield 1; }
  return all().filter(() => false).next();
};

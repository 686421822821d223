// Attacks: A prototype chain of a hundred thousand.
// Ends: memory | time
export default async () => {
  let o = {};
  for (let i = 0; i < 1e5; i++) o = Object.create(o);
  for (;;) o.missing;
};

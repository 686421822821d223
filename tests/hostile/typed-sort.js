// Attacks: Sort of a typed array.
// Ends: time
export default async () => {
  const a = new Float64Array(2 ** 21);
  for (let i = 0; i < a.length; i++) a[i] = (i * 7919) % 1000003;
  for (;;) { a.sort(); a.reverse(); }
};

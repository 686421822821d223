// Attacks: Ropes that are flattened one after the other.
// Ends: time | memory
export default async () => {
  let s = 'xy';
  for (;;) { while (s.length < 2 ** 27) s += s; s.charCodeAt(1); s = 'xy'; }
};

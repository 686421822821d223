// Attacks: The flattening of a rope.
// Ends: memory | time
export default async () => {
  const rope = (() => { let s = 'xy'; while (s.length < 2 ** 28) s += s; return s; })();
  return rope.charCodeAt(5) + rope.split('x').length;
};

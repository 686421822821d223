// Attacks: Texts as bytes without end.
// Ends: buffers | time
export default async () => {
  const all = [], s = "x".repeat(1e6);
  for (;;) all.push(new TextEncoder().encode(s));
};

// Attacks: Functions from text, which are not available.
// Ends: time | memory | buffers
export default async () => {
  for (;;) try { new Function("x".repeat(1e6)); } catch {}
};

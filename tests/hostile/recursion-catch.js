// Attacks: Recursion that catches the overflow and goes on.
// Ends: time
export default async () => {
  const f = () => { try { f(); } catch { f(); } };
  f();
};

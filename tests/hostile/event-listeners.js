// Attacks: Listeners without end.
// Ends: time
export default async () => {
  const t = new EventTarget();
  for (;;) t.addEventListener("x", () => {});
};

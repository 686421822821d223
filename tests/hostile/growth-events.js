// Attacks: Events with details, kept by listeners.
// Ends: memory | buffers
export default async () => {
  const target = new EventTarget();
  const all = [];
  target.addEventListener("a", (event) => { all.push(event); });
  for (;;) target.dispatchEvent(new MessageEvent("a", { data: new Array(100) }));
};

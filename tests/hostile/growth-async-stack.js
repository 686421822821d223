// Attacks: Suspended functions.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (;;) all.push((async () => { const list = new Array(1000).fill(0); await new Promise(() => {}); return list; })());
};

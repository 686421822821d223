// Attacks: Suspended generators with large frames.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (;;) { const generator = (function* () { const list = new Array(1000).fill(0); yield list; })(); generator.next(); all.push(generator); }
};

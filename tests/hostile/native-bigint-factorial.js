// Attacks: A product that grows without end.
// Ends: time | memory | buffers
export default async () => {
  let product = 1n;
  for (let factor = 1n; ; factor++) product *= factor;
};

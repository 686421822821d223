// Attacks: Objects of a different shape each.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (let index = 0; ; index++) all.push({ [`a${index}`]: 1, [`b${index}`]: 2, [`c${index}`]: 3 });
};

// Attacks: Copies of an object with many keys, kept.
// Ends: memory | buffers
export default async () => {
  const object = {};
  for (let index = 0; index < 2 ** 16; index++) object[index] = index;
  const all = [];
  for (;;) all.push({ ...object });
};

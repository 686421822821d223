// Attacks: Entries of an object with many keys, over and over.
// Ends: time | memory | buffers
export default async () => {
  const object = {};
  for (let index = 0; index < 2 ** 18; index++) object[`key${index}`] = index;
  for (;;) Object.entries(object);
};

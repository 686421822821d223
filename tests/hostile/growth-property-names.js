// Attacks: Property names, which are interned.
// Ends: time | memory | buffers
export default async () => {
  const object = {};
  for (let index = 0; ; index++) { object[`${index}`.padEnd(1_000, "y")] = 1; delete object[`${index}`.padEnd(1_000, "y")]; }
};

// Attacks: Symbols of the registry, which are never collected.
// Ends: memory | buffers
export default async () => {
  for (let index = 0; ; index++) Symbol.for(`${index}`.padEnd(10_000, "x"));
};

// Attacks: Definitions of many properties.
// Ends: time | memory | buffers
// Process-only: many properties are defined without a check for termination.
export default async () => {
  const all = {};
  for (let index = 0; index < 2 ** 17; index++) all[`key${index}`] = { value: index, configurable: true };
  for (;;) Object.defineProperties({}, all);
};

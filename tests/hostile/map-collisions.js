// Attacks: Keys that are all the same but for their number.
// Ends: memory | time
export default async () => {
  const m = {};
  for (let i = 0; ; i++) m[`key${i}`] = i;
};

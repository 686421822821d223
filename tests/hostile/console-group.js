// Attacks: Groups without end.
// Ends: time
export default async () => {
  for (;;) console.group();
};

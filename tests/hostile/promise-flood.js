// Attacks: Promises without end.
// Ends: memory | time
export default async () => {
  const all = [];
  for (;;) all.push(new Promise(() => {}));
};

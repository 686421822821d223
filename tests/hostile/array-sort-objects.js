// Attacks: Sort of objects that become text.
// Ends: time
export default async () => {
  const a = [];
  for (let i = 0; i < 1e5; i++) a.push({ toString: () => `${(i * 7919) % 1000003}` });
  for (;;) a.sort();
};

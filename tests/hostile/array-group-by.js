// Attacks: Object.groupBy without end.
// Ends: memory | time
export default async () => {
  function* all() { for (let i = 0; ; i++) yield i; }
  return Object.groupBy(all(), String);
};

// Attacks: The console shows a deep object.
// Ends: result null
export default async () => {
  let o = {};
  for (let i = 0; i < 1e5; i++) o = { o };
  console.dir(o, { depth: Infinity });
};

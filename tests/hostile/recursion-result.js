// Attacks: A deep result.
// Ends: result
export default async () => {
  let o = {};
  for (let i = 0; i < 1e5; i++) o = { o };
  return o;
};

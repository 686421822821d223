// Attacks: A reviver that never returns.
// Ends: time
export default async () => {
  return JSON.parse('[1]', () => { for (;;); });
};

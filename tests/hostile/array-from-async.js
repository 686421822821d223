// Attacks: Array.fromAsync of a length.
// Ends: memory | time
export default async () => {
  return (await Array.fromAsync({ length: 1e9 })).length;
};

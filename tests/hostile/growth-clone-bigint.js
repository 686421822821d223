// Attacks: A clone of many large numbers.
// Ends: memory | buffers
export default async () => {
  const large = 1n << 2n ** 20n;
  const all = [];
  for (;;) all.push(structuredClone(new Array(1000).fill(large)));
};

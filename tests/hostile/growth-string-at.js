// Attacks: Slices that keep their texts.
// Ends: memory | buffers
export default async () => {
  const all = [];
  for (let index = 0; ; index++) all.push(`${index}${"x".repeat(2 ** 20)}`.slice(0, 20));
};

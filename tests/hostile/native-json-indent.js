// Attacks: JSON with indentation of deep values.
// Ends: time | memory | buffers
export default async () => {
  let value = 1;
  for (let level = 0; level < 5_000; level++) value = [value, value === 1 ? 1 : 2];
  const texts = [];
  for (;;) texts.push(JSON.stringify(value, null, 10));
};

// Attacks: JSON of a value that contains another many times.
// Ends: time | memory | buffers
export default async () => {
  let value = ["x".repeat(1000)];
  for (let level = 0; level < 30; level++) value = [value, value];
  return JSON.stringify(value).length;
};

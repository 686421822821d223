// Attacks: Numbers in long texts.
// Ends: time | memory | buffers
export default async () => {
  const text = "9".repeat(2 ** 22);
  for (;;) Number(text) + parseInt(text, 3) + parseInt(text, 2);
};

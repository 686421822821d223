// Attacks: A duration with the largest numbers.
// Ends: time | memory | buffers
export default async () => {
  if (Intl.DurationFormat === undefined) return 1;
  const format = new Intl.DurationFormat("de", { style: "long", fractionalDigits: 9 });
  for (;;) format.format({ years: 2 ** 31, seconds: 2 ** 50, nanoseconds: 2 ** 50 });
};

// Attacks: Numbers with the most digits, without end.
// Ends: time | memory | buffers
export default async () => {
  const format = new Intl.NumberFormat("de", { minimumFractionDigits: 100, style: "unit", unit: "kilometer-per-hour", unitDisplay: "long" });
  for (;;) format.formatToParts(1e308);
};

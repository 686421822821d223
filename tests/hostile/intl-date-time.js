// Attacks: Formats of dates, kept.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (;;) all.push(new Intl.DateTimeFormat("ar-u-ca-islamic-nu-arab", { dateStyle: "full", timeStyle: "full", timeZone: "Asia/Tokyo" }));
};

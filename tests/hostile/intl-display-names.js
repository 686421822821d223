// Attacks: Names of languages, kept.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (;;) all.push(new Intl.DisplayNames("ja", { type: "language" }), new Intl.PluralRules("ar"), new Intl.RelativeTimeFormat("pl"));
};

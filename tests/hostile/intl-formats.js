// Attacks: Formats without end.
// Ends: time
export default async () => {
  const all = [];
  for (;;) all.push(new Intl.DateTimeFormat('en', { dateStyle: 'full' }));
};

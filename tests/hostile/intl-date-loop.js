// Attacks: Dates as text without end.
// Ends: time
export default async () => {
  for (;;) new Date().toLocaleString('ja-JP', { timeZone: 'Asia/Tokyo' });
};

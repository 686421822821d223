// Attacks: Stopwatches without end.
// Ends: time
export default async () => {
  for (let i = 0; ; i++) console.time(`t${i}`);
};

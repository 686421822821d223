// Attacks: Counters without end.
// Ends: logLines | logBytes | time
export default async () => {
  for (let i = 0; ; i++) console.count(`c${i}`);
};

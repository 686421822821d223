// Attacks: Lines without end.
// Ends: logLines | logBytes | time
export default async () => {
  for (;;) console.log("x");
};

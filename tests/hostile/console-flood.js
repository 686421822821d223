// Attacks: Lines without end.
// Ends: time
export default async () => {
  for (;;) console.log("x");
};

// Attacks: A replacement that repeats the whole text, without an expression.
// Ends: error RangeError
export default async () => {
  let text = "x".repeat(1000);
  for (;;) text = text.replaceAll("x", "$`$'$&");
};

// Attacks: A replacement that repeats the whole text.
// Ends: memory | buffers
export default async () => {
  let text = "x".repeat(1000);
  for (;;) text = text.replace(/x/g, "$`$'$&");
};

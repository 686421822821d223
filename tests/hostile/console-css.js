// Attacks: Styles that are long, nested and broken.
// Ends: result 1 | time
export default async () => {
  console.log("%cx".repeat(1000), ...new Array(1000).fill(`color: rgb(${"1,".repeat(1000)}); background: hsl(1e999deg 1% 1%); text-decoration: ${"underline ".repeat(1000)}`));
  console.log("%cx", "color: #" + "f".repeat(1e6));
  return 1;
};

// Attacks: A loop without a call in it.
// Ends: time
export default async () => {
  for (;;);
};

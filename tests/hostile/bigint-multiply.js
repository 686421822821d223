// Attacks: A product.
// Ends: time
export default async () => {
  let n = 3n;
  for (;;) n *= n;
};

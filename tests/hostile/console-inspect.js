// Attacks: An own way to be shown that loops.
// Ends: time
export default async () => {
  console.log({ get [Symbol.toStringTag]() { for (;;); } });
};

// Attacks: A conversion that never returns.
// Ends: time
export default async () => {
  return `${{ [Symbol.toPrimitive]() { for (;;); } }}`;
};

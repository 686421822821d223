// Attacks: Recursion without end.
// Ends: error RangeError
export default async () => {
  const f = () => f() + 1;
  return f();
};

// Attacks: Async functions that call each other.
// Ends: error RangeError
export default async () => {
  const f = async () => { await f(); };
  await f();
};

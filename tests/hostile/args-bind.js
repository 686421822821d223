// Attacks: Bind with a huge list.
// Ends: error RangeError
export default async () => {
  const f = Function.prototype.bind.apply(() => 1, new Array(2 ** 20));
  return f();
};

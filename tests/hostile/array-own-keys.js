// Attacks: Reflect.ownKeys of a long text.
// Ends: error RangeError
export default async () => {
  return Reflect.ownKeys(new String('x'.repeat(2 ** 28))).length;
};

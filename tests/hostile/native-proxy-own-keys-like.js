// Attacks: A proxy whose list of keys claims a huge length.
// Ends: error RangeError
export default async () => {
  return Reflect.ownKeys(new Proxy({}, { ownKeys: () => ({ length: 2 ** 53 - 1 }) })).length;
};

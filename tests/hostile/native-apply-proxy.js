// Attacks: A list of arguments that is a proxy of a huge array.
// Ends: error RangeError
export default async () => {
  return Math.max.apply(null, new Proxy([], { get: (_, key) => key === "length" ? 2 ** 32 - 1 : 1 }));
};

// Attacks: Setting a typed array from an array-like with a huge length.
// Ends: error RangeError
export default async () => {
  new Uint8Array(8).set({ length: 2 ** 53 - 1 });
};

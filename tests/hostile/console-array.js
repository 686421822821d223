// Attacks: A giant array.
// Ends: error RangeError
export default async () => {
  console.log(new Array(2 ** 27).fill(1));
};

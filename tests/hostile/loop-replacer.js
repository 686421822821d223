// Attacks: A replacer of JSON.stringify that adds a level each time.
// Ends: error RangeError
export default async () => {
  return JSON.stringify(1, () => ({ a: 1 }));
};

// Attacks: New with a huge spread.
// Ends: memory | error RangeError
export default async () => {
  return new Array(...new Array(2 ** 24)).length;
};

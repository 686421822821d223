// Attacks: Split at what occurs once of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return ('x'.repeat(2 ** 29 - 25) + 'y').split('y').length;
};

// Attacks: JSON.stringify of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return JSON.stringify('\n'.repeat(2 ** 28)).length;
};

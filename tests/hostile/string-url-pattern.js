// Attacks: A URLPattern of half a gigabyte of text.
// Ends: error RangeError
export default async () => {
  return new URLPattern({ pathname: '/' + 'x'.repeat(2 ** 29 - 25) }).pathname.length;
};

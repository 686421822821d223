// Attacks: A locale name of a million characters.
// Ends: error RangeError | time
export default async () => {
  return new Intl.Locale('en-' + 'abcde-'.repeat(1e6)).toString();
};

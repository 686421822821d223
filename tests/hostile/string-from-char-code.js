// Attacks: String.fromCharCode with a long list.
// Ends: buffers | memory | time
export default async () => {
  return String.fromCharCode.apply(null, new Uint16Array(2 ** 24)).length;
};

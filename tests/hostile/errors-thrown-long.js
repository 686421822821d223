// Attacks: The text of a thrown object is far longer than a message may be.
// Ends: error 
export default () => {
  throw { get text() { return "ab".repeat(1 << 20); }, get again() { return this.text; } };
};

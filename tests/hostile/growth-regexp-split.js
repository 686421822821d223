// Attacks: A text split at an expression with many groups.
// Ends: memory | buffers
export default async () => {
  return "a".repeat(2 ** 20).split(/((((((((()))))))))/).length;
};

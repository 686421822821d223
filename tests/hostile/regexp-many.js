// Attacks: Patterns without end.
// Ends: time
export default async () => {
  for (let i = 0; ; i++) new RegExp(`a${i}b*`).test("a");
};

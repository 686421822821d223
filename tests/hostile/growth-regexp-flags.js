// Attacks: Expressions, each compiled.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (let index = 0; ; index++) { const expression = new RegExp(`${index}(a|b)*[^x]{1,500}`, "dgu"); expression.test("aaa"); all.push(expression); }
};

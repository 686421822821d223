// Any text is a key. Order is the object's: integers first, then the rest as they were written.
export default () => ({
  b: 1,
  a: 2,
  "": 3,
  "with space": 4,
  'quo"te': 5,
  "\n": 6,
  ключ: 7,
  "🔑": 8,
  2: 9,
  1: 10,
  ["__proto__"]: 11,
  constructor: 12,
  toString: 13,
});

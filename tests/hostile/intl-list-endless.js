// Attacks: A list without end.
// Ends: memory | buffers
export default async () => {
  return new Intl.ListFormat("de").format({ *[Symbol.iterator]() { for (;;) yield "x"; } }).length;
};

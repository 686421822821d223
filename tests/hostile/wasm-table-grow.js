// Attacks: Tables that grow.
// Ends: time | memory | buffers
export default async () => {
  const tables = [];
  for (;;) { const table = new WebAssembly.Table({ element: "externref", initial: 1 }); tables.push(table); table.grow(10_000_000 - 1, {}); }
};

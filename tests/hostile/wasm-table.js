// Attacks: A table of ten million entries.
// Ends: memory | time
export default async () => {
  const all = [];
  for (;;) all.push(new WebAssembly.Table({ initial: 1e7, element: "anyfunc" }));
};

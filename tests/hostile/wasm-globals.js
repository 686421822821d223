// Attacks: Objects of WebAssembly without end.
// Ends: memory | buffers
export default async () => {
  const all = [];
  for (;;) all.push(new WebAssembly.Global({ value: "i64", mutable: true }, 1n), new WebAssembly.Tag({ parameters: ["i32"] }));
};

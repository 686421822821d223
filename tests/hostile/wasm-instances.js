// Attacks: Instances without end.
// Ends: buffers | memory
export default async () => {
  const uleb = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n > 0); return out; };
  const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const compile = (...sections) => new WebAssembly.Module(new Uint8Array([...header, ...sections.flat()]));
  const module = compile(section(1, [1, 96, 0, 0]), section(3, [1, 0]), section(5, [1, 0, 1]), section(10, [1, 2, 0, 11]));
  const all = [];
  for (;;) all.push(new WebAssembly.Instance(module));
};

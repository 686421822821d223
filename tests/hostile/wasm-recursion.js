// Attacks: Endless recursion in WebAssembly.
// Ends: error RangeError
export default async () => {
  const uleb = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n > 0); return out; };
  const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const compile = (...sections) => new WebAssembly.Module(new Uint8Array([...header, ...sections.flat()]));
  const module = compile(section(1, [1, 96, 0, 0]), section(3, [1, 0]), section(7, [1, 1, 97, 0, 0]), section(10, [1, 4, 0, 16, 0, 11]));
  return new WebAssembly.Instance(module).exports.a();
};

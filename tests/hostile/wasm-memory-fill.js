// Attacks: Bulk operations over the largest memory.
// Ends: time | memory | buffers
// Process-only: a bulk operation on the largest memory is not interrupted, nor a loop of them.
export default async () => {
  const uleb = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n > 0); return out; };
  const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const compile = (...sections) => new WebAssembly.Module(new Uint8Array([...header, ...sections.flat()]));
  const body = [0, 3, 64, 65, 0, 65, 1, 65, ...[128, 128, 128, 8], 252, 11, 0, 12, 0, 11, 11];
  const module = compile(section(1, [1, 96, 0, 0]), section(3, [1, 0]), section(5, [1, 0, ...uleb(256)]), section(7, [1, 1, 97, 0, 0]), section(10, [1, ...uleb(body.length), ...body]));
  return new WebAssembly.Instance(module).exports.a();
};

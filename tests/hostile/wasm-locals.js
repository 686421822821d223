// Attacks: A function with 50,000 locals, of many.
// Ends: time | memory | buffers
export default async () => {
  const uleb = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n > 0); return out; };
  const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const compile = (...sections) => new WebAssembly.Module(new Uint8Array([...header, ...sections.flat()]));
  const count = 2_000;
  const body = [1, ...uleb(50_000), 127, 11];
  const types = section(1, [1, 96, 0, 0]);
  const functions = section(3, [...uleb(count), ...new Array(count).fill(0)]);
  const code = section(10, [...uleb(count), ...Array.from({ length: count }, () => [...uleb(body.length), ...body]).flat()]);
  const all = [];
  for (;;) all.push(compile(types, functions, code));
};

// Attacks: Compilations that are not awaited.
// Ends: time | memory | buffers
export default async () => {
  const uleb = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n > 0); return out; };
  const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const compile = (...sections) => new WebAssembly.Module(new Uint8Array([...header, ...sections.flat()]));
  const count = 10_000;
  const bytes = new Uint8Array([...header, ...section(1, [1, 96, 0, 0]), ...section(3, [...uleb(count), ...new Array(count).fill(0)]), ...section(10, [...uleb(count), ...new Array(count).fill([2, 0, 11]).flat()])]);
  for (;;) WebAssembly.compile(bytes);
};

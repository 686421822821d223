// Attacks: Imports whose getters throw and change.
// Ends: result 100
export default async () => {
  const uleb = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n > 0); return out; };
  const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const compile = (...sections) => new WebAssembly.Module(new Uint8Array([...header, ...sections.flat()]));
  const module = compile(section(1, [1, 96, 0, 0]), section(2, [1, 1, 97, 1, 98, 0, 0]));
  let count = 0;
  const imports = { get a() { count++; return count % 2 ? { get b() { throw new Error("b"); } } : null; } };
  for (let index = 0; index < 100; index++) try { new WebAssembly.Instance(module, imports); } catch {}
  return count;
};

// Attacks: Buffers that shrink below their views.
// Ends: result 1
export default async () => {
  const buffer = new ArrayBuffer(64, { maxByteLength: 128 });
  const views = [new Uint8Array(buffer, 32), new DataView(buffer, 32), new Float64Array(buffer)];
  buffer.resize(8);
  for (const value of [buffer, ...views]) try { console.log(value, [value]); console.dir(value, { showHidden: true }); } catch {}
  return 1;
};

// Attacks: Buffers that are detached.
// Ends: result 1 | time
export default async () => {
  const buffer = new ArrayBuffer(8);
  const views = [new Uint8Array(buffer), new DataView(buffer)];
  structuredClone(buffer, { transfer: [buffer] });
  for (const value of [buffer, ...views, { views }]) try { console.log(value); } catch {}
  return 1;
};

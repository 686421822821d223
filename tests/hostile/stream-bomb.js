// Attacks: What grows as it is decompressed.
// Ends: time
export default async () => {
  const zeros = new Uint8Array(1e6);
  const packed = new ReadableStream({ pull(c) { c.enqueue(zeros); } }).pipeThrough(new CompressionStream('gzip')).pipeThrough(new DecompressionStream('gzip'));
  const all = [];
  for await (const chunk of packed) all.push(chunk);
};

// Attacks: Compression without end.
// Ends: time
export default async () => {
  const zeros = new Uint8Array(1e7);
  for await (const _ of new ReadableStream({ pull(c) { c.enqueue(zeros); } }).pipeThrough(new CompressionStream('gzip')));
};

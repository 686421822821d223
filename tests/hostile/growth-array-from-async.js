// Attacks: Elements without end, asynchronously.
// Ends: memory | buffers
export default async () => {
  return await Array.fromAsync({ async *[Symbol.asyncIterator]() { for (;;) yield new Array(100); } });
};

// Attacks: A byte stream with a huge buffer.
// Ends: buffers | memory
export default async () => {
  const stream = new ReadableStream({ type: "bytes", autoAllocateChunkSize: 2 ** 31, pull() {} });
  return await stream.getReader().read();
};

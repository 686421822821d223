// Attacks: Copies of a stream, of which one is read.
// Ends: buffers | memory
export default async () => {
  let stream = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
  const [left] = stream.tee();
  for await (const chunk of left) chunk.length;
};

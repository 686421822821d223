// Attacks: A stream whose queue claims to be empty.
// Ends: buffers | memory
export default async () => {
  const stream = new ReadableStream({ start: (controller) => { for (;;) controller.enqueue(new Uint8Array(65_536)); } }, { size: () => 0 });
  return stream.locked;
};

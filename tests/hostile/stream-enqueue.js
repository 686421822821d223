// Attacks: A stream that takes in without end.
// Ends: buffers | memory | time
export default async () => {
  new ReadableStream({ start(c) { for (;;) c.enqueue(new Uint8Array(1000)); } });
};

// What is transferred is gone here.
export default async () => {
  const buffer = new ArrayBuffer(8);
  const moved = structuredClone({ buffer }, { transfer: [buffer] });
  console.log(moved.buffer.byteLength, buffer.byteLength, buffer.detached);

  const { port1, port2 } = new MessageChannel();
  const bytes = new Uint8Array([1, 2, 3]);
  const message = new Promise((resolve) => {
    port2.onmessage = (event) => resolve(event.data);
  });
  port1.postMessage(bytes, [bytes.buffer]);
  console.log(await message, bytes.length);
  port1.close();
};

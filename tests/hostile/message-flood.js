// Attacks: Messages without end.
// Ends: buffers | time
export default async () => {
  const { port1, port2 } = new MessageChannel();
  port2.start();
  for (;;) port1.postMessage("x".repeat(1000));
};

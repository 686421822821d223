// Attacks: Messages whose getters return one long text each.
// Ends: buffers | memory
export default async () => {
  const { port1 } = new MessageChannel();
  const text = "x".repeat(2 ** 24);
  for (;;) port1.postMessage({ get a() { return text; }, get b() { return text; } });
};

// Attacks: Base64 and hex of buffers.
// Ends: memory | buffers
export default async () => {
  const all = [];
  const bytes = new Uint8Array(2 ** 22);
  for (;;) all.push(bytes.toBase64?.() ?? "", bytes.toHex?.() ?? "");
};

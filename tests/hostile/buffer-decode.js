// Attacks: TextDecoder of a large buffer in a loop.
// Ends: memory | time
export default async () => {
  const b = new Uint8Array(3e7).fill(0xe3), all = [];
  for (;;) all.push(new TextDecoder().decode(b));
};

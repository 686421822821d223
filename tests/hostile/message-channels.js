// Attacks: Channels without end.
// Ends: buffers | memory | time
export default async () => {
  const all = [];
  for (;;) all.push(new MessageChannel());
};

// Attacks: A stream without end.
// Ends: time
export default async () => {
  for await (const _ of new ReadableStream({ pull(c) { c.enqueue(1); } }));
};

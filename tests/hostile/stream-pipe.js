// Attacks: A pipe without end.
// Ends: time
export default async () => {
  await new ReadableStream({ pull(c) { c.enqueue(1); } }).pipeTo(new WritableStream({}));
};

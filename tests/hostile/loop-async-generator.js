// Attacks: An async generator without end.
// Ends: time
export default async () => {
  for await (const _ of (async function* () { for (;;) yield 1; })());
};

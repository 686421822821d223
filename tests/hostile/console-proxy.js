// Attacks: A proxy with traps that loop.
// Ends: result null
export default async () => {
  console.log(new Proxy({}, { get() { for (;;); }, ownKeys() { for (;;); } }));
};

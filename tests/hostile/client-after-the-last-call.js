// Attacks: Calls without end that are rejected, and caught.
// Ends: memory | time
export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  const limit = 100_000;
  const text = "x".repeat(1e5);
  for (;;) {
    await Promise.allSettled(Array.from({ length: limit / 100 }, () => idp.userByName(text)));
  }
};

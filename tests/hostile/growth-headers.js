// Attacks: Headers without end.
// Ends: memory | buffers
export default async () => {
  const headers = new Headers();
  for (let index = 0; ; index++) headers.append(`x-${index}`, "v".repeat(10_000));
};

// Attacks: A form without end.
// Ends: memory | buffers
export default async () => {
  const form = new FormData();
  for (let index = 0; ; index++) form.append(`${index}`, "v".repeat(10_000));
};

// Attacks: A form as body, with values that are one text.
// Ends: memory | buffers
export default async () => {
  const form = new FormData();
  const text = "v".repeat(2 ** 20);
  for (let index = 0; index < 1000; index++) form.append("a", text);
  return (await new Response(form).text()).length;
};

// Each refusal names the field, what was expected and what came; the value itself is never shown.
const name = "ana@example.com";
const inputs = [
  undefined,
  null,
  name,
  42,
  true,
  [],
  [{ name }],
  () => ({ name }),
  {},
  { name: undefined },
  { name: null },
  { name: 42 },
  { name: true },
  { name: [name] },
  { name: { first: "Ana" } },
  { name: () => name },
  { name: Symbol("ana") },
  { name: 1n },
  { name: new String(name) },
  { name, password: null },
  { name, password: 123456 },
  { name, password: ["correct horse"] },
  { name, password: {} },
  { name, disabled: null },
  { name, disabled: 0 },
  { name, disabled: "false" },
  { name, disabled: [] },
];

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const input of inputs) {
    await idp.createUser(input).then(
      () => console.log("created from", input),
      (error) => console.log(`${error.code} ${error.message}`),
    );
  }
  const { totalCount } = await idp.users();
  return { totalCount };
};

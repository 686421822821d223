const options = [
  null,
  "all",
  42,
  true,
  [],
  () => ({}),
  { first: null },
  { first: "5" },
  { first: true },
  { first: [] },
  { first: {} },
  { first: 5n },
  { first: () => 5 },
  { first: new Number(5) },
  { first: 1.5 },
  { first: NaN },
  { first: 0 },
  { first: -1 },
  { first: -0 },
  { first: 1001 },
  { first: Number.MAX_SAFE_INTEGER },
  { after: 42 },
  { after: ["token"] },
  { after: {} },
  { query: null },
  { query: "ana@example.com" },
  { query: 42 },
  { query: ["ana@example.com"] },
  { query: () => ({}) },
];
const filters = [
  null,
  "an-id",
  42,
  true,
  {},
  { 0: "an-id", length: 1 },
  new Set(["an-id"]),
  new Uint8Array(1),
  () => [],
  [42],
  ["an-id", null],
  ["an-id", "another-id", undefined],
  [, "an-id"],
  [["an-id"]],
  [{ id: "an-id" }],
  [Symbol("id")],
  [new String("an-id")],
  ["lone \ud800"],
];

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const filter of filters) {
    options.push({ query: { ids: filter } }, { query: { names: filter } });
  }
  for (const option of options) {
    await idp.users(option).then(
      () => console.log("listed with", option),
      (error) => console.log(`${error.code} ${error.message}`),
    );
  }
};

// With a `then` on every object, users and pages look like thenables; the script only breaks its own awaiting.
const { defineProperty } = Object;
let asked = 0;
defineProperty(Object.prototype, "then", {
  get() {
    asked++;
    return undefined;
  },
  configurable: true,
});

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: "ana@example.com" });
  return [name, asked > 0];
};
